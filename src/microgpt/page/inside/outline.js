/** The graph as an outline: parts that unfold to parts, down to single Values. */

import { h } from "../dom.js";
import { counted, figures } from "../numbers.js";
import { button } from "../pieces.js";

/** @typedef {import("./ask.js").Part} Part */

/**
 * @param {Part} part
 * @param {(path: string[], first?: number) => Promise<Part | null>} more asks for what is in a part; null: it cannot be had
 * @param {(number: number) => void} onChoose called with a Value's number
 * @returns {HTMLElement}
 */
export function outline(part, more, onChoose) {
  const list = h("ul", { class: "outline" });
  fill(list, part, more, onChoose);
  return list;
}

/**
 * @param {HTMLElement} list
 * @param {Part} part
 * @param {(path: string[], first?: number) => Promise<Part | null>} more
 * @param {(number: number) => void} onChoose
 */
function fill(list, part, more, onChoose) {
  list.append(...part.folds.map((fold, i) => h("li", {}, folded(fold, part.labels[i], more, onChoose))));
  list.append(...part.nodes.map((node) => h("li", {}, single(node, onChoose))));
  const shown = part.first + part.folds.length + part.nodes.length;
  if (shown >= part.count) return;
  const next = h("li", {}, button(`Show more: ${counted(part.count - shown)} are left`, () => {
    void more(part.path, shown).then((found) => {
      if (!found) return;
      next.remove();
      fill(list, found, more, onChoose);
      /** @type {HTMLElement} */ (list.children[shown].querySelector("summary, button")).focus();
    });
  }));
  list.append(next);
}

/**
 * @param {import("./ask.js").Fold} fold
 * @param {string} label
 * @param {(path: string[], first?: number) => Promise<Part | null>} more
 * @param {(number: number) => void} onChoose
 */
function folded(fold, label, more, onChoose) {
  const inside = h("div");
  const details = h(
    "details", {},
    h("summary", {}, h("span", { class: "words" }, label), " ", h("span", { class: "quiet" }, `${counted(fold.values)} ${fold.values === 1 ? "Value" : "Values"}, gradient ${figures(fold.gradient)}`)),
    inside,
  );
  let asked = false;
  details.addEventListener("toggle", () => {
    if (!details.open || asked) return;
    asked = true;
    void more(fold.path).then((part) => {
      if (part) inside.replaceChildren(outline(part, more, onChoose));
      else asked = false;
    });
  });
  return details;
}

/** @param {import("./ask.js").Node} node @param {(number: number) => void} onChoose */
const single = (node, onChoose) =>
  h(
    "button", { type: "button", class: "value", onclick: () => onChoose(node.number) },
    h("b", {}, figures(node.data)), " ", h("span", { class: "quiet" }, `gradient ${figures(node.grad)} · ${node.operation}`),
  );
