/** A text that is typed, its characters with their losses as colour and height, and their mean in a sentence. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { figures } from "../numbers.js";
import { field, heat } from "../pieces.js";
import { towers } from "./towers.js";

/** @typedef {import("../source.js").PricedText} PricedText */
/** @typedef {ReturnType<typeof line>} Line */

/**
 * @param {object} given
 * @param {string} given.label
 * @param {string} given.name in the address, and of the elements
 * @param {string} given.usual the text where the address has none
 * @param {import("../frame.js").Context} given.context
 * @param {(isTyped: boolean) => void} given.onPriced
 * @param {(i: number) => void} given.onChoose
 */
export function line({ label, name, usual, context: { about, source, say, signal }, onPriced, onChoose }) {
  const ids = name === "text" ? { sum: "sum", characters: "characters" } : { sum: `${name}-sum`, characters: `${name}-characters` };
  const sum = h("p", { id: ids.sum });
  const characters = h("div", { id: ids.characters });
  const { element, input } = field({
    label, value: address.get(name, usual), properties: { class: "text", id: name, maxlength: 2000 }, onInput: () => void price(true),
  });
  /** @type {PricedText | null} */
  let found = null;
  /** @type {ReturnType<typeof heat> | null} */
  let list = null;
  /** @type {ReturnType<typeof towers> | null} */
  let heights = null;
  let turn = new AbortController();
  signal.addEventListener("abort", () => turn.abort());

  /** Ask what the text costs; what was asked before is given up. */
  async function price(isTyped = false) {
    turn.abort();
    const mine = (turn = new AbortController()).signal;
    address.set({ [name]: input.value });
    try {
      const answer = await source.price(input.value, mine);
      if (mine.aborted) return;
      say("");
      show(answer);
      onPriced(isTyped);
    } catch (error) {
      if (!mine.aborted) say(sentence(error));
    }
  }

  /** @param {PricedText} priced */
  function show(priced) {
    found = priced;
    sum.textContent =
      `${figures(priced.loss)} nats a ${about.unit}: the mean of ${priced.positions.length} losses, ` +
      `the end included. As unsure as a choice among ${priced.perplexity.toFixed(1)}.` +
      (priced.percentile == null ? "" : ` Rarer than ${priced.percentile} % of held-out texts of this length.`);
    list = heat(priced.positions, `The characters of ${name === "text" ? "the text" : "the other text"}; choose one`, onChoose);
    heights = towers(list.items);
    characters.replaceChildren(list.element);
  }

  return {
    element: h("div", {}, h("div", { class: "row" }, element), characters, sum),
    input,
    price,
    get found() {
      return found;
    },
    /** Forget the text's losses. */
    clear() {
      turn.abort();
      found = null;
      characters.replaceChildren();
      sum.textContent = "";
    },
    /** @param {number} i */
    choose(i) {
      list?.choose(Math.min(Math.max(i, 0), list.items.length - 1));
    },
    unchoose() {
      for (const item of list?.items ?? []) item.setAttribute("aria-pressed", "false");
    },
    /**
     * @param {number} most the loss that is as high as there is room
     * @param {{i: number, nats: number}} [moved] a loss that a hand has changed
     */
    draw(most, moved) {
      heights?.draw((found?.positions ?? []).map((one, i) => (moved?.i === i ? moved.nats : one.nats)), most);
    },
  };
}
