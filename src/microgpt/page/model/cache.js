/**
 * A cache: what followed the same tokens earlier in the same text, as `microgpt.counting.cache` defines it.
 *
 * In: its weights; then a text, token by token. Out: logits with the cache mixed in.
 */

import { crossEntropy, softmax } from "./operations.js";

const LENGTHS = [5, 4, 3]; // as in counting/earlier.py
const TIMES = 4; // weights of each length: for contexts that came once, twice, three times or more

export class TextCache {
  /** @param {number[]} weights */
  constructor(weights) {
    this.weights = weights;
  }

  /** @returns {CacheReader} */
  reader() {
    return new CacheReader(this.weights);
  }
}

export class CacheReader {
  /** @param {number[]} weights */
  constructor(weights) {
    this.weights = weights;
    /** @type {number[]} */
    this.last = [];
    /** @type {Map<string, Map<number, number>>} For each context how often which token followed it. */
    this.followed = new Map();
  }

  /**
   * Return the logarithms of a model's probabilities mixed with what followed the same context before.
   * @param {Float64Array} logits
   * @returns {Float64Array}
   */
  mix(logits) {
    for (const [k, length] of LENGTHS.entries()) {
      const seen = this.followed.get(this.context(length));
      if (!seen) continue;
      const times = [...seen.values()].reduce((sum, one) => sum + one, 0);
      const weight = this.weights[TIMES * k + Math.min(times, TIMES) - 1];
      if (!weight) return logits;
      return softmax(logits).map((share, i) => {
        const sum = (1 - weight) * share + (weight * (seen.get(i) ?? 0)) / times;
        return sum > 0 ? Math.log(sum) : Math.log(1 - weight) - crossEntropy(logits, i);
      });
    }
    return logits;
  }

  /**
   * Read the token that came.
   * @param {number} token
   */
  read(token) {
    for (const length of LENGTHS) {
      if (this.last.length < length) continue;
      const context = this.context(length);
      const seen = this.followed.get(context) ?? new Map();
      this.followed.set(context, seen.set(token, (seen.get(token) ?? 0) + 1));
    }
    this.last = [...this.last, token].slice(-LENGTHS[0]);
  }

  /**
   * Name the last tokens; fewer than asked for are no context that came before.
   * @param {number} length
   * @returns {string}
   */
  context(length) {
    return this.last.length < length ? "" : this.last.slice(-length).join(" ");
  }
}
