/** The attention of every head: all of them small, by layer; the chosen one large, with what it looks at in words. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { figures, percent } from "../numbers.js";
import { table } from "../pieces.js";
import { matrix } from "./matrix.js";
import { small } from "./triangle.js";

/** @typedef {import("./ask.js").Head} Head */

/**
 * @param {import("./ask.js").Asking<"heads">} asking
 * @returns {Promise<HTMLElement>}
 */
export async function attention({ inside, text, signal }) {
  const seen = await inside.heads(text, signal);
  const { layers, read } = seen;
  const within = (/** @type {string} */ name, /** @type {number} */ count) => Math.min(Math.max(Math.trunc(Number(address.get(name))) || 0, 0), count - 1);
  let [layer, head] = address.get("head") ? [within("layer", layers.length), within("head", layers[0].length)] : clearest(layers);
  const large = h("div");
  const buttons = layers.map((heads, l) =>
    heads.map((one, k) =>
      h("button", { type: "button", class: "head", "aria-label": `Layer ${l}, head ${k} ${one.says}`, title: `Layer ${l}, head ${k} ${one.says}.`, onclick: () => choose(l, k) }, small(one.shares), h("span", {}, `${k}`)),
    ),
  );

  /** @param {number} l @param {number} k */
  function choose(l, k) {
    [layer, head] = [l, k];
    address.set({ layer, head });
    show();
  }

  function show() {
    const one = layers[layer][head];
    buttons.forEach((row, l) => row.forEach((button, k) => button.setAttribute("aria-pressed", String(l === layer && k === head))));
    const last = read.length - 1;
    const row = address.get("row") ? within("row", read.length) : last;
    const first = /** @type {[number, number]} */ ([row, address.get("row") ? within("column", read.length) : strongest(one.shares[row])]);
    const name = `head ${head} of layer ${layer}`;
    large.replaceChildren(
      h("p", { id: "looks" }, h("b", {}, `Head ${head} of layer ${layer} ${one.says}.`), one.positions > 0 && ` Averaged over ${one.positions} of the text's positions, from the third on.`),
      matrix(`Attention of ${name}`, name, read, one.shares, first, (t, s) => address.set({ row: t, column: s })),
    );
  }

  show();
  return h(
    "div", { class: "columns" },
    h(
      "section", { "aria-labelledby": "heads-title" },
      h("h2", { id: "heads-title" }, "Where each head looks"),
      h("p", {}, "Each row of a square is a position that is read; the darker a cell, the more of that earlier position's value is taken. Each row adds up to 100 %."),
      h("p", {}, "Look for a dark edge on the left (the head rests on the start), a dark step beside the diagonal (the previous character), a dark diagonal (the character itself), or an even grey."),
      h(
        "div", { class: "heads scroll", tabindex: 0, role: "region", "aria-label": "Heads by layer" },
        ...buttons.map((row, l) => h("div", { class: "row", role: "group", "aria-label": `Layer ${l}` }, h("span", { class: "quiet" }, `Layer ${l}`), ...row)),
      ),
      read.length < seen.positions &&
        h("p", { class: "quiet" }, `These are the first ${read.length} of ${seen.positions} positions: ${read.length === seen.window ? "the model reads so many at a time" : "more would be too many to show"}.`),
      h("details", {}, h("summary", {}, "All heads in numbers"), averages(layers)),
    ),
    h("section", { "aria-label": "The chosen head" }, large),
  );
}

/** @param {Head[][]} layers @returns {[number, number]} layer and head that look most at one place */
function clearest(layers) {
  const clear = (/** @type {Head} */ one) => Math.max(one.previous, one.start, one.itself);
  const all = layers.flatMap((heads, l) => heads.map((one, k) => ({ at: /** @type {[number, number]} */ ([l, k]), clear: clear(one) })));
  return all.reduce((best, one) => (one.clear > best.clear ? one : best)).at;
}

/** @param {number[]} row @returns {number} the position with the largest share */
const strongest = (row) => row.indexOf(Math.max(...row));

/** @param {Head[][]} layers */
const averages = (layers) =>
  table({
    caption: "Shares on average over the positions from the third on; evenness is the entropy as a share of the greatest.",
    head: ["layer, head", "previous", "start", "itself", "evenness"],
    rows: layers.flatMap((heads, l) => heads.map((one, k) => [`${l}, ${k}`, percent(one.previous), percent(one.start), percent(one.itself), figures(one.evenness)])),
  });
