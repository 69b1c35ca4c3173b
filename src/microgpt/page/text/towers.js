/** The losses of characters as heights above them, and their mean as a line: as much rises above it as is missing below. */

import { h } from "../dom.js";

/**
 * Put a tower above each of some elements.
 *
 * @param {HTMLElement[]} items
 */
export function towers(items) {
  const made = items.map((item) => {
    const rise = h("span", { class: "rise" });
    const mean = h("span", { class: "mean" });
    item.before(h("span", { class: "tower", "aria-hidden": "true" }, rise, mean));
    return { rise, mean };
  });
  return {
    /**
     * Draw the heights; this may be called on every frame.
     *
     * @param {number[]} losses
     * @param {number} most the loss that is as high as there is room
     */
    draw(losses, most) {
      const height = (/** @type {number} */ nats) => `${((100 * nats) / most).toFixed(2)}%`;
      const mean = height(losses.reduce((a, b) => a + b, 0) / losses.length);
      made.forEach((one, i) => {
        one.rise.style.height = height(losses[i]);
        one.mean.style.bottom = mean;
      });
    },
  };
}
