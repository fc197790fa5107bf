// What gradio calls: each of its components and buttons one function of these.

export { copyRecipeLink, startChart } from "./chart.js";
export { startCurve } from "./curve.js";
export { startExact } from "./exact.js";
export { handOver } from "./latest.js";
export { sweep } from "./sweep.js";
