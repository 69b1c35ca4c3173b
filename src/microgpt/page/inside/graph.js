/** The computation graph of one loss: its picture, its outline, and a single Value. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { counted, figures } from "../numbers.js";
import { choice } from "../pieces.js";
import { flow } from "./flow.js";
import { outline } from "./outline.js";
import { single } from "./value.js";

/** @typedef {import("./ask.js").Asking<"part" | "value">} Asking */

/**
 * @param {Asking} asking
 * @returns {Promise<HTMLElement>}
 */
export async function graph(asking) {
  const body = h("div");

  async function show() {
    const said = Number(address.get("position", "-1"));
    const position = Number.isInteger(said) && said >= 0 ? said : null;
    const part = await asking.inside.part(asking.text, position, [], 0, asking.signal);
    body.replaceChildren(...shown(asking, part, position, () => (address.set({ value: null }), void found(asking, show()))));
    const number = address.get("value");
    if (number) body.querySelector("#single")?.dispatchEvent(new CustomEvent("value", { detail: Number(number) }));
  }

  await show();
  return body;
}

/**
 * Return an answer, or null after saying why there is none.
 *
 * @template T
 * @param {Asking} asking
 * @param {Promise<T>} answer
 */
async function found(asking, answer) {
  try {
    const result = await answer;
    asking.say("");
    return result;
  } catch (error) {
    if (!asking.signal.aborted) asking.say(sentence(error));
    return null;
  }
}

/**
 * @param {Asking} asking
 * @param {import("./ask.js").Part} part
 * @param {number | null} position
 * @param {() => void} again called when another loss was chosen
 */
function shown(asking, part, position, again) {
  const value = h("div", { id: "single" }, h("p", { class: "quiet" }, "Unfold the outline down to a single Value, and choose it: its number, its gradient, what it was computed from."));

  /** @param {number} number */
  async function choose(number) {
    const one = await found(asking, asking.inside.value(asking.text, position, number, asking.signal));
    if (!one) return;
    address.set({ value: number });
    value.replaceChildren(single(one, (next) => void choose(next)));
    value.querySelector("h3")?.focus({ preventScroll: false });
  }
  value.addEventListener("value", (event) => void choose(/** @type {CustomEvent} */ (event).detail));

  const losses = part.losses.map((loss, t) => /** @type {[string, string]} */ ([String(t), `${t}: after ${part.read[t]} comes ${part.coming[t]}, ${figures(loss)} nats`]));
  const which = choice({
    label: "Loss", value: position === null ? "-1" : String(position), options: [["-1", `the mean of all ${losses.length}`], ...losses],
    onChange: (chosen) => {
      address.set({ position: chosen === "-1" ? null : chosen });
      again();
    },
  });
  return [
    h("h2", {}, `${counted(part.values)} Values make one loss of ${figures(part.loss)} nats`),
    h("p", {}, "A Value is one number that remembers what it was computed from. The scalar engine computes this loss from left to right, and then every gradient from right to left: how much the loss would change with that number. Each arrow has the number of inputs that lead from part to part."),
    h("div", { class: "row" }, which.element),
    flow(part),
    h(
      "div", { class: "columns" },
      h(
        "section", { "aria-labelledby": "outline-title" },
        h("h3", { id: "outline-title" }, "Outline"),
        h("p", { class: "quiet" }, "A part's gradient is the length of all gradients in it together: the root of the sum of their squares."),
        outline(part, (path, first = 0) => found(asking, asking.inside.part(asking.text, position, path, first, asking.signal)), (number) => void choose(number)),
      ),
      value,
    ),
  ];
}
