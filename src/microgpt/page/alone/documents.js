/**
 * The view of documents: those in the file with their losses, to filter, to sort and to open.
 */

import * as address from "../address.js";
import { h } from "../dom.js";
import { button, choice, field, shown, table } from "../pieces.js";

/** @typedef {{text: string, loss: number}} Document */

/**
 * Make the view.
 * @param {Document[]} documents
 * @returns {import("../frame.js").View}
 */
export const documentsView = (documents) => ({
  name: "documents",
  title: "Documents",
  line: "Documents that the model was measured on: those that surprise it most, and least. Choose one to take it apart.",
  open({ about }) {
    const list = h("div", { id: "documents", class: "long" });
    const wanted = field({ label: "With these characters", value: address.get("with"), properties: { class: "text", id: "wanted" }, onInput: (words) => (address.set({ with: words }), show()) });
    const order = choice({
      label: "First", options: [["highest", "the highest loss"], ["lowest", "the lowest loss"]], value: address.get("order", "highest"),
      onChange: (first) => (address.set({ order: first }), show()),
    });
    order.select.id = "order";

    function show() {
      const sign = order.select.value === "lowest" ? 1 : -1;
      const found = documents.filter((one) => one.text.includes(wanted.input.value)).sort((a, b) => sign * (a.loss - b.loss));
      list.replaceChildren(
        table({
          caption: `${found.length} of ${documents.length} documents`,
          head: ["text", `nats a ${about.unit}`],
          rows: found.map((one) => [
            button(shown(one.text), () => address.go({ view: "loss", text: one.text, at: 0 }), { class: "plain" }),
            one.loss.toFixed(2),
          ]),
        }),
      );
    }

    show();
    return h("section", { "aria-label": "Documents" }, h("div", { class: "row" }, wanted.element, order.element), list);
  },
});
