import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: [".venv/", "venv/", "**/*.d.ts", "taskvec_demo/ui/web/built/"] },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-implicit-globals": "error",
      curly: ["error", "multi-line"],
    },
  },
  { files: ["taskvec_demo/**/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["*.mjs", "tests/**/*.js"], languageOptions: { globals: globals.node } },
];
