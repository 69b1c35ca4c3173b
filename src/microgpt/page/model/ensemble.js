/**
 * Several GPTs as one: the mean of their probabilities.
 *
 * In: the GPTs. Out: a predictor.
 */

import { crossEntropy } from "./operations.js";

/** @typedef {import("./gpt.js").Decoder} Decoder */
/** @typedef {import("./gpt.js").Predictor} Predictor */

/** @implements {Predictor} */
export class Ensemble {
  /** @param {Predictor[]} members */
  constructor(members) {
    this.members = members;
  }

  /** @returns {Decoder} */
  decoder() {
    const decoders = this.members.map((member) => member.decoder());
    return { push: (token) => averaged(decoders.map((one) => one.push(token))) };
  }
}

/**
 * Return the logarithms of the mean of the probabilities that several logits stand for.
 * @param {Float64Array[]} each logits, of one model each
 * @returns {Float64Array}
 */
export function averaged(each) {
  return each[0].map((_, i) => {
    const logs = each.map((logits) => -crossEntropy(logits, i));
    const top = Math.max(...logs);
    if (top === -Infinity) return top;
    return top + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - top), 0) / each.length);
  });
}
