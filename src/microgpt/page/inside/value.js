/** One Value of a graph: its number, its gradient, what it was computed from, and what was computed from it. */

import { h } from "../dom.js";
import { counted, figures } from "../numbers.js";
import { button, table } from "../pieces.js";

/**
 * @param {import("./ask.js").Value} value
 * @param {(number: number) => void} onChoose called with another Value's number
 * @returns {HTMLElement}
 */
export function single(value, onChoose) {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const rows = (/** @type {import("./ask.js").Link[]} */ links, /** @type {boolean} */ named) =>
    links.map((link, i) => [
      button(`${named && links.length <= 4 ? `${letters[i]} = ` : ""}${figures(link.data)}`, () => onChoose(link.number), { "aria-label": `Value ${link.number}: ${figures(link.data)}` }),
      figures(link.derivative),
      figures(link.flow),
      h("span", { class: "words" }, link.path.join(" › ")),
    ]);
  const some = (/** @type {number} */ count, /** @type {unknown[]} */ links) => (count > links.length ? `; the ${links.length} of ${counted(count)} with the largest flow` : "");
  return h(
    "section", { id: "value", "aria-labelledby": "value-title" },
    h("h3", { id: "value-title", tabindex: -1 }, `Value ${counted(value.number)} = ${figures(value.data)}`),
    h("p", { class: "quiet words" }, value.path.join(" › ")),
    h("p", {}, value.inputs_count ? `Computed as ${value.operation}.` : "A parameter: training moves it against its gradient."),
    h("p", {}, moved(value.grad)),
    value.inputs_count > 0 &&
      table({ caption: `Computed from ${inputs(value.inputs_count)}${some(value.inputs_count, value.inputs)}`, head: ["input", "derivative", "sends back", "part"], rows: rows(value.inputs, true) }),
    value.uses_count > 0 &&
      table({
        caption: value.uses_count === 1 ? "Used by one Value, which sends this gradient back" : `Used by ${counted(value.uses_count)} Values; its gradient is the sum of what they send back${some(value.uses_count, value.uses)}`,
        head: ["used by", "derivative", "sends back", "part"],
        rows: rows(value.uses, false),
      }),
  );
}

/** @param {number} count */
const inputs = (count) => (count === 1 ? "one input: gradient times derivative goes back to it" : `${counted(count)} inputs: gradient times derivative goes back to each`);

/** @param {number} grad */
function moved(grad) {
  if (grad === 0) return "Gradient 0: a small change of it does not change the loss.";
  return `Gradient ${figures(grad)}: if it grew by a little, the loss would ${grad > 0 ? "grow" : "fall"} by ${figures(Math.abs(grad))} times that.`;
}
