// Dragging in a picture. A finger may be about to scroll the page, so it drags only once it has gone sideways, and a tap
// counts when it ends.

const SLOP = 6; // px that a finger may tremble

/**
 * Tell `move` of every place that a pressed pointer comes to in `picture`, whose style has `touch-action: pan-y`.
 * @param {Element} picture
 * @param {(event: MouseEvent) => void} move
 * @param {() => boolean} everyWay whether a finger drags up and down too: then the style has `touch-action: none`
 * @returns {{readonly held: boolean}} whether a pointer drags now
 */
export function dragIn(picture, move, everyWay = () => false) {
  let held = false;
  let waits = false; // for a tap or a way aside
  /** @type {PointerEvent | null} */
  let start = null; // of a finger that has not gone sideways yet

  on("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return; // a menu
    event.preventDefault(); // no text is selected
    picture.setPointerCapture(event.pointerId);
    held = true;
    waits = event.pointerType === "touch" && !everyWay();
    start = waits ? event : null;
    if (!waits) move(event);
  });
  on("pointermove", (event) => {
    if (!held) return;
    if (start) {
      const [aside, along] = [Math.abs(event.clientX - start.clientX), Math.abs(event.clientY - start.clientY)];
      if (aside <= SLOP || aside <= along) return;
      start = null;
    }
    move(event);
  });
  on("click", (event) => waits && start && move(event)); // a tap
  for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) on(end, () => (held = false));
  return {
    get held() {
      return held && !start;
    },
  };

  /**
   * @param {"pointerdown" | "pointermove" | "pointerup" | "pointercancel" | "click"} type
   * @param {(event: PointerEvent) => void} hear
   */
  function on(type, hear) {
    picture.addEventListener(type, (event) => hear(/** @type {PointerEvent} */ (event)));
  }
}
