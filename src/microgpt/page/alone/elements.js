/**
 * What several views of the page show: fields, bars, characters.
 */

import { h, s } from "../dom.js";

/**
 * Return the element with an id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks #${id}`);
  return found;
}

/**
 * Return the field with an id.
 * @param {string} id
 * @returns {HTMLInputElement}
 */
export function field(id) {
  return /** @type {HTMLInputElement} */ (byId(id));
}

/**
 * Make a cell with a bar of a length.
 * @param {number} share of the cell
 * @returns {HTMLElement}
 */
export function bar(share) {
  const box = { class: "fill", width: `${(100 * share).toFixed(1)}%`, height: "100%", rx: "1.5" };
  return h("td", { class: "bar" }, s("svg", { "aria-hidden": "true" }, s("rect", box)));
}

/**
 * Return what shows a character: its escape if it would not be seen.
 * @param {string | null} char null or "": the end
 * @returns {string}
 */
export function glyph(char) {
  if (!char) return "⏎";
  return [...char].map((one) => (/[\p{C}\p{Z}]/u.test(one) ? escaped(one) : one)).join("");
}

/**
 * @param {string} char
 * @returns {string}
 */
function escaped(char) {
  if (char === " ") return "␣";
  if (char === "\n") return "\\n";
  if (char === "\t") return "\\t";
  const code = (char.codePointAt(0) ?? 0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
}

/**
 * Write a whole text so that nothing in it is invisible.
 * @param {string} text
 * @returns {string}
 */
export function shown(text) {
  return text ? [...text].map((char) => (char === " " ? " " : glyph(char))).join("") : "(empty)";
}
