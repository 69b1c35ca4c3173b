/** The residual stream: how long its vector is after each part of the model, at every position. */

import * as address from "../address.js";
import { plot } from "../chart/plot.js";
import { h } from "../dom.js";
import { figures, percent } from "../numbers.js";
import { choice, table } from "../pieces.js";

/**
 * @param {import("./ask.js").Asking<"stream">} asking
 * @returns {Promise<HTMLElement>}
 */
export async function stream({ inside, text, signal }) {
  const { read, places, norms, added } = await inside.stream(text, signal);
  const mean = norms.map((row) => row.reduce((a, b) => a + b, 0) / row.length);
  let at = Math.min(Math.max(Math.trunc(Number(address.get("row", String(read.length - 1)))) || 0, 0), read.length - 1);
  const curve = (/** @type {number[]} */ ys) => ys.map((y, i) => /** @type {[number, number]} */ ([i, y]));
  const chart = () => ({
    title: "The length of the residual stream",
    x: "parts that have added to it",
    whole: true,
    y: "length",
    low: 0,
    curves: [
      ...read.flatMap((_, t) => (t === at ? [] : [{ name: "", kind: "ghost", points: curve(norms.map((row) => row[t])) }])),
      { name: "mean", kind: "two", points: curve(mean) },
      { name: `${read[at]} (${at})`, kind: "one", points: curve(norms.map((row) => row[at])) },
    ],
  });
  const drawn = plot(chart());
  const numbers = h("div");
  const says = h("p", { id: "stream-says" });

  function show() {
    drawn.draw(chart());
    const shares = places.map((_, i) => (i ? added[i][at] / norms[i - 1][at] : 0));
    const most = shares.indexOf(Math.max(...shares));
    says.textContent = `At position ${at}, reading ${read[at]}, ${places[most]} changes the stream most: it adds a vector ${figures(shares[most])} times as long as the stream before it.`;
    numbers.replaceChildren(
      table({
        caption: `Position ${at}, reading ${read[at]}; share: of the length before; mean: of all positions`,
        head: ["after", "adds", "share", "length", "mean"],
        rows: places.map((place, i) => [place, i ? figures(added[i][at]) : "", i ? percent(shares[i]) : "", figures(norms[i][at]), figures(mean[i])]),
        marked: (row) => row === most,
      }),
    );
  }

  const chosen = choice({
    label: "Position", value: String(at), options: read.map((symbol, t) => [String(t), `${t}: ${symbol}`]),
    onChange: (value) => {
      at = Number(value);
      address.set({ row: at, column: null });
      show();
    },
  });
  show();
  return h(
    "div", { class: "columns" },
    h(
      "section", { "aria-labelledby": "stream-title" },
      h("h2", { id: "stream-title" }, "What the layers add up"),
      h("p", {}, "At each position the model keeps one vector, the residual stream. Attention and MLP of each layer read it and add a vector to it; at the end the logits are read from it."),
      h("div", { class: "row" }, chosen.element),
      drawn.element,
    ),
    h("section", { "aria-label": "In numbers" }, says, numbers),
  );
}
