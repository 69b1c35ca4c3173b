/** The panels of one step: what each phase computed, in numbers and a sentence. */

import { bars } from "../chart/bars.js";
import { map } from "../chart/map.js";
import { h } from "../dom.js";
import { counted, figures, percent } from "../numbers.js";
import { bar, table } from "../pieces.js";

/**
 * @typedef {object} Matrix
 * @property {string} name
 * @property {[number, number]} shape
 * @property {number} gradient root mean squares
 * @property {number} size
 * @property {number} change
 *
 * @typedef {object} Look
 * @property {string} text
 * @property {number} made updates since the run
 * @property {number} lr the run's learning rate
 * @property {string} objective
 * @property {{what: string, count: number}} others
 * @property {boolean} mixed
 * @property {number} loss
 * @property {import("../source.js").Position[]} positions
 * @property {string[]} columns the tokens of d_logits
 * @property {number} all_columns how many tokens there are
 * @property {number[][]} d_logits
 * @property {Matrix[]} matrices
 *
 * @typedef {{text: string, before: number, after: number}} Change
 * @typedef {object} Update
 * @property {number} made
 * @property {number} lr
 * @property {Matrix[]} matrices
 * @property {number} before
 * @property {number} after
 * @property {{what: string, count: number, before: number, after: number, fell: number, rose: number, changes: import("../chart/bars.js").Bin[], most: Change[]}} others
 */

/** @param {Look} look @returns {Node[]} */
export function forward({ positions, mixed }) {
  const likely = (/** @type {import("../source.js").Position} */ one) => one.likely.slice(0, 3).map(([symbol, p]) => `${symbol} ${percent(p)}`).join(" · ");
  return [
    h("p", {}, `The model reads the document and gives each next token a probability${mixed ? ": the GPT alone, without the counts" : ""}.`),
    table({
      caption: "What came, and what was likeliest there",
      head: ["came", "probability", "likeliest"],
      rows: positions.map((one) => [one.symbol, percent(one.p), likely(one)]),
    }),
  ];
}

/** @param {Look} look @returns {Node[]} */
export function loss({ positions, loss: mean }) {
  const most = Math.max(...positions.map((one) => one.nats));
  return [
    h("p", {}, `Each costs -log p; their mean is the loss: ${figures(mean)} nats.`),
    table({
      caption: "-log p at each position",
      head: ["came", "-log p", ""],
      rows: positions.map((one) => [one.symbol, figures(one.nats), bar(one.nats / most)]),
    }),
  ];
}

/** What arrives at the logits, by objective. */
const ARRIVES = /** @type {Record<string, string>} */ ({
  "cross-entropy": "p - 1 where the token came, p elsewhere, divided by the number of positions",
  linear: "p times (p - 1 where the token came, p elsewhere), divided by the number of positions",
  quadratic: "2 p (1 - p) times (p - 1 where the token came, p elsewhere), divided by the number of positions",
});

/** @param {Look} look @returns {Node[]} */
export function backward({ objective, positions, columns, all_columns, d_logits, matrices }) {
  const most = Math.max(...matrices.map((one) => one.gradient), Number.MIN_VALUE);
  const some = columns.length < all_columns ? ` The ${columns.length} tokens with the largest of ${counted(all_columns)}.` : "";
  return [
    h("p", {}, `The gradient arriving at the logits is ${ARRIVES[objective]}. Blue: the update raises this logit; orange: it lowers it.${some}`),
    map({ title: "Gradient at the logits", row: "came", rows: positions.map((one) => one.symbol), columns, values: d_logits }),
    table({
      caption: "From there it flows back into every matrix: root mean square of its gradient",
      head: ["matrix", "shape", "gradient", ""],
      rows: matrices.map((one) => [one.name, one.shape.join(" × "), figures(one.gradient), bar(one.gradient / most)]),
    }),
  ];
}

/** @param {Update} update @returns {Node[]} */
export function updated({ before, after, others, matrices, lr }) {
  const most = Math.max(...matrices.map((one) => share(one)));
  const rest = others.count - others.fell - others.rose;
  return [
    h("p", { id: "did" }, `With learning rate ${figures(lr)} the parameters moved. This document: ${digits(before)} → ${digits(after)} nats.`),
    h(
      "p", { id: "others" },
      `Of ${counted(others.count)} other documents (${others.what}) ${counted(others.fell)} cost less now and ${counted(others.rose)} more${rest ? `, ${counted(rest)} the same` : ""}: ` +
        `their mean ${digits(others.before)} → ${digits(others.after)}.`,
    ),
    bars({ title: "Change of the others' losses", x: "nats a position; left of 0: better", y: "documents", bins: others.changes, marks: [{ name: "0", x: 0 }] }).element,
    table({
      caption: "How far each matrix moved: root mean square, and as a share of the matrix itself",
      head: ["matrix", "moved by", "share", ""],
      rows: matrices.map((one) => [one.name, figures(one.change), percent(share(one)), bar(share(one) / most)]),
    }),
    table({
      caption: "The other documents whose loss changed most",
      head: ["document", "before", "after"],
      rows: others.most.map((one) => [one.text || "(empty)", digits(one.before), digits(one.after)]),
    }),
  ];
}

/** @param {Matrix} matrix */
const share = ({ change, size }) => (size ? change / size : 0);

/** @param {number} x Nats, with digits enough to see one update. */
const digits = (x) => x.toFixed(4);
