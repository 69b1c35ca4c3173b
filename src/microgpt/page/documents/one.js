/** One document, character by character. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { counted, figures } from "../numbers.js";
import { heat } from "../pieces.js";
import * as asking from "./asking.js";

/**
 * Make the place where a document is shown when it was chosen.
 *
 * @param {import("../frame.js").Context} context
 * @param {asking.On} on
 */
export function one({ about, source, say, signal }, on) {
  const element = h("section", { class: "document", "aria-label": "The chosen document" }, h("p", { class: "quiet" }, "Choose a document to see what each of its characters costs."));
  let asked = 0;

  /** @type {Element | null} */
  let pressed = null;

  /** @param {asking.Row} row @param {Element | null} button that was pressed */
  async function open(row, button) {
    pressed?.removeAttribute("aria-current");
    button?.setAttribute("aria-current", "true");
    pressed = button;
    const mine = ++asked;
    try {
      const { text, characters } = await asking.opened(on, row.document, signal);
      const priced = await source.price(text);
      if (mine !== asked || signal.aborted) return;
      const cut = characters > [...text].length ? ` Its first ${counted([...text].length)} of ${counted(characters)} characters:` : "";
      const rarer = row.percentile === null ? "" : `, rarer than ${row.percentile.toFixed(1)} % of held-out documents of similar length`;
      const list = heat(priced.positions, "The characters of the document, and what each costs");
      element.replaceChildren(
        h("h2", {}, `${on.file ? "Row" : "Document"} ${counted(row.row)}`),
        h("p", {}, `${figures(row.loss)} nats a ${about.unit}, the end included${rarer}.${cut}`),
        h("div", { class: "scroll characters", tabindex: 0, role: "region", "aria-label": "The characters of the document" }, list.element),
        h("p", {}, h("a", { href: address.changed({ view: "loss", text, at: null }) }, "Open it in the Loss view")),
      );
    } catch (error) {
      if (mine === asked && !signal.aborted) say(sentence(error));
    }
  }

  return { element, open };
}
