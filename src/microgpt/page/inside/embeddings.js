/** Embeddings as letters in a plane, and which of them are most alike. */

import * as address from "../address.js";
import { marks } from "../chart/marks.js";
import { h } from "../dom.js";
import { counted, figures, percent } from "../numbers.js";
import { choice, table } from "../pieces.js";

/** @type {[string, string][]} */
const MATRICES = [["wte", "wte: as tokens are read"], ["lm_head", "lm_head: as tokens are predicted"]];

/**
 * @param {import("./ask.js").Asking<"plane">} asking
 * @returns {Promise<HTMLElement>}
 */
export async function embeddings(asking) {
  const body = h("div", { class: "columns" });

  async function show() {
    const matrix = address.get("matrix") === "lm_head" ? "lm_head" : "wte";
    const found = await asking.inside.plane(asking.text, matrix, asking.signal);
    body.replaceChildren(...shown(found, matrix, () => show().catch((error) => asking.signal.aborted || asking.say(error.message))));
    body.querySelector("select")?.setAttribute("id", "matrix");
  }

  await show();
  return body;
}

/**
 * @param {import("./ask.js").Plane} found
 * @param {string} matrix
 * @param {() => void} again called when another matrix was chosen
 */
function shown(found, matrix, again) {
  const [x, y] = found.variance;
  const picked = address.get("token");
  let chosen = Math.max(found.marks.findIndex((mark) => (picked ? mark.symbol === picked : mark.used)), 0);
  const letters = () => found.marks.map((mark, i) => ({ name: mark.symbol, x: mark.x, y: mark.y, kind: i === chosen ? "one" : mark.used ? "used" : "" }));
  const chart = marks({ title: `The rows of ${matrix} in two dimensions`, x: `first component: ${percent(x)} of the variance`, y: `second: ${percent(y)}`, letters: letters() });
  const says = h("p", { id: "alike" });
  const numbers = h("div");

  function show() {
    const { symbol, alike } = found.marks[chosen];
    chart.draw(letters());
    says.textContent = `Most alike to ${symbol} in all ${found.width} dimensions: ${alike.map(([name, cosine]) => `${name} ${figures(cosine)}`).join(", ")}.`;
    numbers.replaceChildren(table({ caption: `Alike to ${symbol}`, head: ["token", "cosine"], rows: alike.map(([name, cosine]) => [name, figures(cosine)]) }));
  }

  show();
  const which = choice({ label: "Matrix", options: MATRICES, value: matrix, onChange: (value) => (address.set({ matrix: value }), again()) });
  const token = choice({
    label: "Token", options: found.marks.map((mark, i) => [String(i), mark.symbol]), value: String(chosen),
    onChange: (value) => {
      chosen = Number(value);
      address.set({ token: found.marks[chosen].symbol });
      show();
    },
  });
  const left = found.tokens - found.marks.length;
  return [
    h(
      "section", { "aria-labelledby": "plane-title" },
      h("h2", { id: "plane-title" }, "Tokens as points"),
      h("p", {}, `Each token is a row of ${found.width} numbers. This is the plane on which the rows lie furthest apart (PCA): it has ${percent(x + y)} of their variance. What is near here may be far apart in the rest.`),
      h("div", { class: "row" }, which.element, token.element),
      chart.element,
      left > 0 && h("p", { class: "quiet" }, `${counted(left)} more tokens are not drawn.`),
    ),
    h("section", { "aria-label": "Most alike" }, says, numbers, h("p", { class: "quiet" }, "A cosine of 1: the same direction; 0: no direction in common; -1: the opposite. Tokens of the text are drawn bold.")),
  ];
}
