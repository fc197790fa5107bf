import type { State } from "./chart.js";
import type { Latest } from "./latest.js";

declare global {
  interface Window {
    /** Written by gradio. */
    gradio_config: { root: string; api_prefix: string };
    /** The page's only global, for those who watch it from outside: tests and benchmarks. */
    taskvec: { state: State; controls: Latest<any[]>; follow: (follower: (state: State) => void) => void };
  }
}
