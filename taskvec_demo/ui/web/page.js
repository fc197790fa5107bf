// The functions that gradio calls: one for each of its components and buttons that need a script.

export { startChart } from "./chart.js";
export { startCurve } from "./curve.js";
export { startExact } from "./exact.js";
export { startExplore } from "./explore.js";
export { handOpened, handOver, tellProgress } from "./latest.js";
export { startPaper } from "./replay.js";
export { saveModel } from "./save.js";
export { sweep } from "./sweep.js";
export { chosenValues, startTools } from "./tools.js";
