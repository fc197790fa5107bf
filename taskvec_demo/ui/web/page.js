// The functions that gradio calls: one for each of its components and buttons that need a script.

export { startChart } from "./chart.js";
export { startClasses } from "./classes.js";
export { startCurve } from "./curve.js";
export { startExact } from "./exact.js";
export { startExplore } from "./explore.js";
export { handOpened, handOver, tellProgress } from "./latest.js";
export { switchedOn } from "./recipe.js";
export { startPaper } from "./replay.js";
export { startLabels } from "./labels.js";
export { pinnedQuery } from "./pin.js";
export { saveGiven } from "./save.js";
export { startStories } from "./stories.js";
export { handAnswer, handClip, handLabels, handTrace, startStrip } from "./strip.js";
export { sweep } from "./sweep.js";
export { startToolbar } from "./toolbar.js";
export { chosenValues, startTools } from "./tools.js";
export { startTrace } from "./trace_figure.js";
export { startWords } from "./words.js";
