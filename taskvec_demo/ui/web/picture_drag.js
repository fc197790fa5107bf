// Dragging in a picture. A finger may be about to scroll the page, so it drags only once it has gone sideways, and a tap
// counts when it ends.

const SLOP = 6; // px that a finger may tremble

/**
 * Tell `move` of every place that a pressed pointer comes to in the picture, an svg with the style `touch-action: pan-y`.
 * @param {Element} place that holds the picture, which may be drawn anew meanwhile
 * @param {(event: MouseEvent) => void} move
 * @param {{everyWay?: () => boolean, tapped?: () => void}} options `everyWay`: whether a finger drags up and down too (then
 *   the style is `touch-action: none`); `tapped`: after a tap, whose move comes when no pointer is pressed any more
 * @returns {{readonly held: boolean}} whether a pointer drags now
 */
export function dragIn(place, move, { everyWay = () => false, tapped = () => {} } = {}) {
  /** @type {number | null} */
  let pointer = null; // that is pressed: other fingers do nothing
  /** @type {PointerEvent | null} */
  let start = null; // of a finger that has not gone sideways yet

  on("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return; // a menu, a second finger
    if (!(event.target instanceof Element && event.target.closest("svg"))) return; // a legend
    event.preventDefault(); // no text is selected
    place.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    start = event.pointerType === "touch" && !everyWay() ? event : null;
    if (!start) move(event);
  });
  on("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    if (start) {
      const [aside, along] = [Math.abs(event.clientX - start.clientX), Math.abs(event.clientY - start.clientY)];
      if (aside <= SLOP || aside <= along) return;
      start = null;
    }
    move(event);
  });
  on("pointerup", (event) => {
    if (event.pointerId === pointer) pointer = null;
  });
  on("pointercancel", (event) => {
    if (event.pointerId === pointer) pointer = start = null; // the page scrolls
  });
  on("click", (event) => {
    if (!start) return; // a drag has ended
    start = null;
    move(event);
    tapped();
  });
  return {
    get held() {
      return pointer !== null && !start;
    },
  };

  /**
   * @param {"pointerdown" | "pointermove" | "pointerup" | "pointercancel" | "click"} type
   * @param {(event: PointerEvent) => void} hear
   */
  function on(type, hear) {
    place.addEventListener(type, (event) => hear(/** @type {PointerEvent} */ (event)));
  }
}
