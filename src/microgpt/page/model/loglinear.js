/**
 * The log-linear mixture of a GPT and counts of several lengths, as `microgpt.counting.loglinear` defines it.
 *
 * In: both, the weights. Out: a predictor.
 */

import { uniform, spread } from "./counts.js";

/** @typedef {import("./gpt.js").Decoder} Decoder */
/** @typedef {import("./gpt.js").Predictor} Predictor */
/** @typedef {import("./counts.js").NGram} NGram */

const MOST = 63; // contexts that came more often have the same weights, as in counting/loglinear.py

/** @implements {Predictor} */
export class LogLinear {
  /**
   * @param {Predictor} gpt
   * @param {NGram} ngram
   * @param {number[][]} weights of the GPT, and of the counts of each length: three coefficients
   * @param {import("./cache.js").TextCache | null} [cache] of a long text; its decoder knows none
   */
  constructor(gpt, ngram, weights, cache = null) {
    this.gpt = gpt;
    this.ngram = ngram;
    this.weights = weights;
    this.cache = cache;
  }

  /** @returns {Decoder} */
  decoder() {
    const gpt = this.gpt.decoder();
    const counts = this.ngram.decoder();
    return {
      push: (token) => {
        const logits = gpt.push(token);
        const { logs, came } = each(this.ngram, counts.read(token));
        const x = Math.log1p(Math.min(came, MOST)) / Math.log1p(MOST);
        const [own, ...others] = this.weights.map(([a, b, c]) => a * (1 - x) ** 2 + 2 * b * x * (1 - x) + c * x * x);
        return logits.map((logit, i) => others.reduce((sum, weight, k) => sum + weight * logs[k][i], own * logit));
      },
    };
  }
}

/**
 * Return log p_V of the n-gram models of 2, 3, ... n tokens, and how often the longest context came.
 * @param {NGram} ngram
 * @param {number[]} before
 * @returns {{logs: Float64Array[], came: number}}
 */
export function each(ngram, before) {
  const found = ngram.found(before);
  const n = ngram.discounts.length;
  const logs = [];
  let below = uniform(ngram.vocabSize);
  for (let k = 0; k < n; k++) {
    const context = found[k]; // none: it never came, and all is left to the shorter one
    if (k || n === 1) {
      const p = context ? spread(below, context, context.times, context.came, ngram.timesDiscounts[k]) : below;
      logs.push(p.map(Math.log));
    }
    if (context) below = spread(below, context, context.counts, context.total, ngram.discounts[k]);
  }
  return { logs, came: found[n - 1]?.came ?? 0 };
}
