// Runs in the chart's gr.HTML. Every redraw restarts a timer; when nothing has changed for 250 ms and no pointer holds a
// slider, the server is asked for the exact answers (event "settled") and the recipe goes into the address bar, so that
// it can be shared.
const SETTLE_MS = 250;
let timer = null;
let held = false;
let changed = false;

const settle = () => {
  if (held || !changed) return;
  changed = false;
  trigger("settled");
  const recipe = new URLSearchParams(element.querySelector("[data-query]")?.dataset.query ?? "");
  const url = new URL(window.location);
  for (const key of [...url.searchParams.keys()]) {
    if (!key.startsWith("__")) url.searchParams.delete(key); // gradio's own keys, such as __theme, stay
  }
  for (const [key, value] of recipe) url.searchParams.set(key, value);
  history.replaceState(history.state, "", url);
};
const restart = () => {
  clearTimeout(timer);
  timer = setTimeout(settle, SETTLE_MS);
};

addEventListener("pointerdown", (event) => { held = event.target.type === "range"; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, () => { held = false; if (changed) restart(); }, true);
}
addEventListener("input", () => { if (changed) restart(); }, true);
watch("value", () => { changed = true; restart(); });
