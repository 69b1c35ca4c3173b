/**
 * The view of documents: those in the file with their losses, to filter, to sort and to open.
 */

import { h } from "../dom.js";
import { byId, field, shown } from "./elements.js";

/** @typedef {{text: string, loss: number}} Document */

/**
 * Let the view list documents.
 * @param {Document[]} documents
 * @param {(text: string) => void} open shows a text character by character
 */
export function documentsView(documents, open) {
  if (!documents.length) return;
  const show = () => {
    const wanted = field("wanted").value;
    const sign = field("order").value === "lowest" ? 1 : -1;
    const found = documents
      .filter((one) => one.text.includes(wanted))
      .sort((a, b) => sign * (a.loss - b.loss));
    byId("documents-found").textContent = `${found.length} of ${documents.length} documents`;
    byId("documents-rows").replaceChildren(
      ...found.map((one) => {
        const button = h("button", { type: "button", class: "plain" }, shown(one.text));
        button.addEventListener("click", () => open(one.text));
        return h(
          "tr", {},
          h("td", { class: "left words" }, button),
          h("td", {}, one.loss.toFixed(2)),
        );
      }),
    );
  };
  field("wanted").addEventListener("input", show);
  field("order").addEventListener("input", show);
  show();
}
