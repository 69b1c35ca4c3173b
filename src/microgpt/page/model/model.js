/**
 * A trained model in the browser: what the file holds, made into what computes.
 *
 * In: the file's data. Out: a `Model`, which scores texts and draws new ones.
 */

import { TextCache } from "./cache.js";
import { NGram } from "./counts.js";
import { Ensemble } from "./ensemble.js";
import { GPT, matrices } from "./gpt.js";
import { LogLinear } from "./loglinear.js";
import { Mixture } from "./mixture.js";
import { bytes, floats, wholes } from "./numbers.js";
import { probabilities, sample } from "./sampling.js";
import { likeliest, positions, score } from "./score.js";
import { Tokenizer } from "./tokenizer.js";

/** @typedef {{tops: number[], thresholds: number[][], alike: number}} Reference The losses of usual texts. */
/** @typedef {{children: string, firsts: string, counts: string, discount: number}} WrittenOrder */
/**
 * @typedef {object} Written
 * @property {import("./gpt.js").Config} config
 * @property {[string, number, number][]} table of one model's matrices
 * @property {number} models how many models' weights lie end to end
 * @property {{bits: number, data: string}} weights
 * @property {{orders: WrittenOrder[], weight: number | null, log_linear: number[][] | null, cache: number[] | null} | null} counts
 * @property {import("./tokenizer.js").Written} tokenizer
 * @property {Reference | null} reference
 */

export class Model {
  /** @param {Written} written */
  constructor(written) {
    const { config, counts, weights } = written;
    this.config = config;
    this.reference = written.reference;
    this.tokenizer = new Tokenizer(written.tokenizer);
    const flat = floats(bytes(weights.data), weights.bits);
    const size = flat.length / written.models;
    const gpts = Array.from({ length: written.models }, (_, k) => new GPT(config, matrices(written.table, flat.subarray(k * size, (k + 1) * size))));
    this.gpt = gpts[0];
    /** @type {import("./gpt.js").Predictor} */
    this.predictor = gpts.length > 1 ? new Ensemble(gpts) : this.gpt;
    if (counts) {
      const orders = counts.orders.map((one) => ({
        children: wholes(bytes(one.children)),
        firsts: wholes(bytes(one.firsts)),
        counts: wholes(bytes(one.counts)),
        discount: one.discount,
      }));
      const ngram = new NGram(orders, this.tokenizer.vocabSize, this.tokenizer.bos);
      const cache = counts.cache && new TextCache(counts.cache);
      const { log_linear: weights, weight } = counts;
      this.predictor = weights ? new LogLinear(this.predictor, ngram, weights, cache) : new Mixture(this.predictor, ngram, weight ?? 0, cache);
    }
  }

  /**
   * Score a text, character by character.
   * @param {string} text
   */
  score(text) {
    const found = score(this.predictor, this.tokenizer, this.config.block_size, text);
    return { ...found, percentile: this.percentile([...text].length, found.loss) };
  }

  /**
   * Read a text, position by position.
   * @param {string} text
   */
  positions(text) {
    return positions(this.predictor, this.tokenizer, this.config.block_size, text);
  }

  /**
   * Throw a RangeError whose message is a sentence, unless samples can begin with a text.
   * @param {string} prompt
   */
  check(prompt) {
    const { ids, starts } = this.tokenizer.encode(prompt);
    const unknown = ids.findIndex((id) => id < 0);
    if (unknown >= 0) throw new RangeError(`the prompt has "${[...prompt][starts[unknown]]}", which this model has never seen.`);
    if (ids.length >= this.config.block_size) throw new RangeError(`the prompt must be shorter than the block of ${this.config.block_size}.`);
  }

  /**
   * Return the logits of the token that follows a beginning, which must have known characters only.
   * @param {string} text
   * @returns {Float64Array}
   */
  logits(text) {
    const decoder = this.predictor.decoder();
    let logits = decoder.push(this.tokenizer.bos);
    for (const id of this.tokenizer.encode(text).ids.slice(0, this.config.block_size - 1)) {
      logits = decoder.push(id < 0 ? this.tokenizer.written.stand_in : id);
    }
    return logits;
  }

  /**
   * List the tokens with the largest logits.
   * @param {Float64Array} logits
   * @param {number} most
   */
  likeliest(logits, most) {
    return likeliest(logits, this.tokenizer, most);
  }

  /**
   * Return the probabilities that a token is drawn with.
   * @param {Float64Array} logits
   * @param {import("./sampling.js").Choice} choice
   */
  probabilities(logits, choice) {
    return probabilities(logits, choice);
  }

  /**
   * Draw a text.
   * @param {import("./sampling.js").Choice} choice
   * @param {() => number} random in [0, 1)
   */
  sample(choice, random) {
    return sample(this.predictor, this.tokenizer, this.config.block_size, choice, random);
  }

  /**
   * Return how many of 100 usual texts of similar length surprise less, rounded down.
   * @param {number} length in characters
   * @param {number} loss nats a position
   * @returns {number | null} null: it is not known
   */
  percentile(length, loss) {
    if (!this.reference) return null;
    const { tops, thresholds, alike } = this.reference;
    const place = tops.filter((top) => top < length).length;
    return thresholds[place].filter((one) => one < loss - alike).length;
  }
}
