/** A text, character by character: what each costs; and how the logits of one position become its loss. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { figures } from "../numbers.js";
import { field, heat } from "../pieces.js";
import { steps } from "./steps.js";

/**
 * @param {import("../frame.js").Context} context
 * @returns {HTMLElement}
 */
export function text({ about, source, say, signal }) {
  const sum = h("p", { id: "sum" });
  const characters = h("div", { id: "characters" });
  const inside = h("div", { id: "inside" });
  const { element, input } = field({
    label: "Text", value: address.get("text", "emma"), properties: { class: "text", id: "text", maxlength: 2000 }, onInput: priced,
  });
  let asked = 0;

  async function priced() {
    const mine = ++asked;
    address.set({ text: input.value });
    await shown(mine, source.price(input.value), show);
  }

  /**
   * Show an answer, unless a newer question is under way, or the view was left.
   *
   * @template T
   * @param {number} mine
   * @param {Promise<T>} answer
   * @param {(found: T) => void} then
   */
  async function shown(mine, answer, then) {
    try {
      const found = await answer;
      if (mine !== asked || signal.aborted) return;
      say("");
      then(found);
    } catch (error) {
      if (mine === asked && !signal.aborted) say(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {import("../source.js").PricedText} found */
  function show(found) {
    sum.textContent =
      `${figures(found.loss)} nats a ${about.unit}: the mean of ${found.positions.length} losses, ` +
      `the end included. As unsure as a choice among ${found.perplexity.toFixed(1)}.` +
      (found.percentile == null ? "" : ` Rarer than ${found.percentile} % of held-out texts of this length.`);
    const list = heat(found.positions, "The characters; choose one", (i) => {
      address.set({ at: i });
      const { symbol, unknown } = found.positions[i];
      if (unknown) inside.replaceChildren(h("p", {}, `The model has never seen ${symbol}: it has no logit, and its loss is fixed.`));
      else void shown(++asked, source.logits(found.text, i), (logits) => inside.replaceChildren(steps(logits, found, i)));
    });
    characters.replaceChildren(list.element);
    const chosen = Number(address.get("at", "0"));
    list.choose(Math.min(Math.max(Number.isInteger(chosen) ? chosen : 0, 0), found.positions.length - 1));
  }

  void priced();
  return h(
    "section", { "aria-labelledby": "text-title" },
    h("h2", { id: "text-title" }, "What a text costs"),
    h("div", { class: "row" }, element),
    characters,
    sum,
    inside,
  );
}
