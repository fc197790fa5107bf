// The functions that gradio calls in the tab of studies, whose modules come when it is opened.

export { handAdapters, startAdapters, tellAdaptersClip } from "./adapters_study.js";
export { handLikeness, tellOtherClip } from "./dial_near.js";
export { startDial, startDialTable } from "./dial_study.js";
export { startRelations } from "./relations_study.js";
