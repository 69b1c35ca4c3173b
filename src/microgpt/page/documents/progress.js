/** How far some work has come. */

import { h } from "../dom.js";
import { counted } from "../numbers.js";

/**
 * @param {string} what is being done
 * @param {number} [of] how many documents there are; 0: it is not known
 */
export function progress(what, of = 0) {
  const says = h("span", {}, `${what}…`);
  const line = h("progress", { "aria-label": what, max: of || null });
  return {
    element: h("p", { class: "row" }, line, says),
    /** @param {number} documents done so far */
    set(documents) {
      if (of) line.value = documents;
      says.textContent = `${what}: ${counted(documents)}${of ? ` of ${counted(of)}` : ""} documents`;
    },
  };
}
