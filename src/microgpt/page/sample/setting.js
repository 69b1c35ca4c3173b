/** A setting of the sampling: a slider for the hand, beside it a field for an exact number. */

import * as address from "../address.js";
import { h } from "../dom.js";

/**
 * Make a setting; the address remembers it.
 *
 * @param {object} given
 * @param {string} given.label
 * @param {string} given.name in the address
 * @param {[number, number, number]} given.range of the slider: its ends and its step
 * @param {number} given.usual where the address does not say
 * @param {(x: number) => boolean} given.valid whether a typed number may be; it may lie beyond the slider's ends
 * @param {string} [given.none] what is written for 0
 * @param {() => void} given.onInput
 */
export function setting({ label, name, range: [min, max, step], usual, valid, none, onInput }) {
  let value = read(address.get(name)) ?? usual;
  const range = h("input", { type: "range", id: name, min, max, step, oninput: () => take(Number(range.value), true) });
  const typed = h("input", { class: "number", type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": `${label} as a number`, oninput: () => take(read(typed.value), false) });

  /** @param {string} text @returns {number | null} null: it is no number that may be */
  function read(text) {
    const words = text.trim().replace(",", ".");
    if (none && words === none) return 0;
    return words && Number.isFinite(Number(words)) && valid(Number(words)) ? Number(words) : null;
  }

  /** @param {number | null} x @param {boolean} slid whether the slider was moved, not the number typed */
  function take(x, slid) {
    typed.setAttribute("aria-invalid", String(x === null));
    if (x === null) return;
    value = x;
    write(slid);
    address.set({ [name]: x });
    onInput();
  }

  /** @param {boolean} both whether the number is to be written too: not while it is typed */
  function write(both) {
    range.value = String(value);
    const words = none && value === 0 ? none : String(value);
    range.setAttribute("aria-valuetext", words);
    if (both) typed.value = words;
  }

  write(true);
  return {
    element: h("div", { class: "slider" }, h("label", { for: name }, label), range, typed),
    get value() {
      return value;
    },
  };
}
