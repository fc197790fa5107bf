// `npm run build`: the browser's modules as few files, in taskvec_demo/ui/web/built. With --check nothing is written, and
// the exit status is 1 if those files are not what would be built.
//
// The first line of page.js is the SHA-256 of the modules, which `live.py` compares: a bundle of other modules than those
// beside it is not served.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const web = join(dirname(fileURLToPath(import.meta.url)), "taskvec_demo", "ui", "web");
const built = join(web, "built");
const isModule = (/** @type {string} */ name) => name.endsWith(".js");

const digest = createHash("sha256");
for (const name of readdirSync(web).filter(isModule).sort()) digest.update(readFileSync(join(web, name)));

const { outputFiles } = await build({
  entryPoints: ["page.js", "studies.js"].map((name) => join(web, name)),
  bundle: true,
  splitting: true, // what both need has its own file, so that it is there once
  format: "esm",
  minify: true,
  target: "es2022",
  banner: { js: `// ${digest.digest("hex")}` },
  outdir: built,
  write: false,
});
const files = new Map(outputFiles.map((file) => [basename(file.path), file.text]));

if (process.argv.includes("--check")) {
  mkdirSync(built, { recursive: true });
  const there = readdirSync(built).filter(isModule).sort();
  const same = there.join() === [...files.keys()].sort().join();
  if (!same || there.some((name) => readFileSync(join(built, name), "utf8") !== files.get(name))) {
    console.error(`${built} is not what these modules give: run \`npm run build\` and commit it.`);
    process.exit(1);
  }
} else {
  rmSync(built, { recursive: true, force: true });
  mkdirSync(built);
  for (const [name, text] of files) writeFileSync(join(built, name), text);
}
