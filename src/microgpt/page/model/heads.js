/**
 * The attention of a model in the page, as `microgpt.inside` describes it.
 *
 * In: a `Model`, what is shown for each token. Out: answers to what a view asks of its heads.
 */

import { glyph } from "./source.js";
import { UNKNOWN } from "./tokenizer.js";

/** @typedef {import("../inside/ask.js").Head} Head */

// As `microgpt.runs.reading.BOS`, and as `microgpt.inside.heads`.
const BOS = "BOS";
const MOSTLY = 0.5;
const EVEN = 0.97;

/** The most positions whose attention is shown, as in `microgpt.studio.inside`. */
const POSITIONS = 64;

/**
 * Let a model answer.
 * @param {import("./model.js").Model} model
 * @param {string[]} symbols what is shown for each token
 * @returns {Pick<import("../inside/ask.js").Inside, "heads">}
 */
export const heads = (model, symbols) => ({
  async heads(text) {
    const { tokenizer, config, gpt } = model;
    const { ids, starts } = tokenizer.encode(text);
    const chars = [...text];
    const window = config.block_size;
    const some = ids.slice(0, Math.min(window, POSITIONS) - 1);
    /** @type {number[][][][]} */
    const layers = Array.from({ length: config.n_layer }, () => Array.from({ length: config.n_head }, () => []));
    let calls = 0;
    // Each layer's heads come in order, position after position.
    const decoder = gpt.decoder((layer, shares) => layers[layer][calls++ % config.n_head].push([...shares]));
    for (const id of [tokenizer.bos, ...some]) decoder.push(id === UNKNOWN ? tokenizer.written.stand_in : id);
    return {
      read: [BOS, ...some.map((id, i) => (id === UNKNOWN ? `${glyph(chars[starts[i]])}?` : symbols[id]))],
      positions: ids.length + 1,
      window,
      layers: layers.map((layer) => layer.map(look)),
    };
  },
});

/**
 * Average where a head looks, over the positions from the third on.
 * @param {number[][]} shares row t has the share of each position from 0 to t
 * @returns {Head}
 */
export function look(shares) {
  const rows = shares.slice(2);
  const mean = (/** @type {(row: number[]) => number} */ of) => rows.reduce((sum, row) => sum + of(row), 0) / (rows.length || 1);
  const entropy = (/** @type {number[]} */ row) => -row.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0);
  const found = {
    shares,
    positions: rows.length,
    itself: mean((row) => row[row.length - 1]),
    previous: mean((row) => row[row.length - 2]),
    start: mean((row) => row[0]),
    evenness: mean((row) => entropy(row) / Math.log(row.length)),
  };
  return { ...found, says: says(found) };
}

/** @param {Omit<Head, "says">} head */
function says({ positions, previous, start, itself, evenness }) {
  if (!positions) return "has too few positions in this text to say where it looks";
  const parts = /** @type {[string, number][]} */ ([["the previous position", previous], ["the start (BOS)", start], ["the position itself", itself]]);
  const [place, share] = parts.reduce((most, part) => (part[1] > most[1] ? part : most));
  const percent = (/** @type {number} */ x) => `${(100 * x).toFixed(0)} %`;
  if (evenness >= EVEN) return "spreads evenly over all it has read";
  if (share >= MOSTLY) return `looks mostly at ${place}: ${percent(share)} on average`;
  return `looks at no single place mostly: ${parts.map(([name, its]) => `${percent(its)} at ${name}`).join(", ")}`;
}
