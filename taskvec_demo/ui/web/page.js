// The functions that gradio calls: one for each of its components and buttons that need a script.

export { copyRecipeLink, startChart } from "./chart.js";
export { startCurve } from "./curve.js";
export { startExact } from "./exact.js";
export { handOver } from "./latest.js";
export { sweep } from "./sweep.js";
