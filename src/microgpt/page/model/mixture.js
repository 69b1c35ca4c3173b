/**
 * The mixture of a GPT and counts: p = (1 - weight) p_GPT + weight p_counts.
 *
 * In: both, a weight. Out: a predictor.
 */

import { crossEntropy, softmax } from "./operations.js";

/** @typedef {import("./gpt.js").Decoder} Decoder */
/** @typedef {import("./gpt.js").Predictor} Predictor */
/** @typedef {import("./counts.js").NGram} NGram */

/** @implements {Predictor} */
export class Mixture {
  /**
   * @param {Predictor} gpt
   * @param {NGram} ngram
   * @param {number} weight
   * @param {import("./cache.js").TextCache | null} [cache] of a long text; its decoder knows none
   */
  constructor(gpt, ngram, weight, cache = null) {
    this.gpt = gpt;
    this.ngram = ngram;
    this.weight = weight;
    this.cache = cache;
  }

  /** @returns {Decoder} */
  decoder() {
    const gpt = this.gpt.decoder();
    const counts = this.ngram.decoder();
    return { push: (token) => mixed(gpt.push(token), counts.probabilities(token), this.weight) };
  }
}

/**
 * Return the logarithms of the mixture's probabilities, which are logits.
 * @param {Float64Array} logits of the GPT
 * @param {Float64Array} p of the counts
 * @param {number} weight of the counts
 * @returns {Float64Array}
 */
export function mixed(logits, p, weight) {
  const own = softmax(logits);
  return own.map((share, i) => {
    const sum = (1 - weight) * share + weight * p[i];
    // Where a probability is too small for a number, its logarithm is not.
    return sum > 0 ? Math.log(sum) : -crossEntropy(logits, i);
  });
}
