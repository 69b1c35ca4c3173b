/**
 * Logits to probabilities to text, as `microgpt.sampling` defines it; the random numbers are others.
 *
 * In: a predictor, a tokenizer, a choice. Out: texts, each with its loss.
 */

import { crossEntropy, largest } from "./operations.js";

/** @typedef {import("./gpt.js").Predictor} Predictor */
/** @typedef {import("./tokenizer.js").Tokenizer} Tokenizer */
/**
 * @typedef {object} Choice
 * @property {number} temperature
 * @property {number | null} top_k
 * @property {number} top_p
 * @property {number} min_p
 * @property {string} prompt
 */
/** @typedef {{text: string, nats: number, positions: number, loss: number, ended: "end" | "block"}} Sample */

/**
 * Return the probabilities that a token is drawn with: temperature, then top-k, top-p, min-p.
 * @param {Float64Array} logits
 * @param {Choice} choice
 * @returns {Float64Array}
 */
export function probabilities(logits, choice) {
  const top = largest(logits);
  if (choice.temperature === 0) {
    const p = new Float64Array(logits.length);
    p[logits.indexOf(top)] = 1;
    return p;
  }
  const p = logits.map((z) => Math.exp((z - top) / choice.temperature));
  divide(p);
  const order = Array.from(p.keys()).sort((a, b) => p[b] - p[a] || a - b);
  const most = p[order[0]];
  order.slice(choice.top_k ?? p.length).forEach((id) => (p[id] = 0));
  if (choice.top_p < 1) {
    const enough = choice.top_p * p.reduce((sum, one) => sum + one, 0);
    let before = 0;
    for (const id of order) {
      const own = p[id];
      // A token stays if those before it have not reached top_p yet: the first always stays.
      if (before >= enough) p[id] = 0;
      before += own;
    }
  }
  for (const id of order) if (p[id] < choice.min_p * most) p[id] = 0;
  return divide(p);
}

/**
 * Draw a text; the prompt must be one that `Model.check` takes.
 * @param {Predictor} predictor
 * @param {Tokenizer} tokenizer
 * @param {number} blockSize
 * @param {Choice} choice
 * @param {() => number} random in [0, 1)
 * @returns {Sample}
 */
export function sample(predictor, tokenizer, blockSize, choice, random) {
  const prompt = tokenizer.encode(choice.prompt).ids;
  const decoder = predictor.decoder();
  /** @type {number[]} */
  const ids = [];
  let nats = 0;
  let read = tokenizer.bos;
  do {
    const logits = decoder.push(read);
    read = prompt[ids.length] ?? drawn(probabilities(logits, choice), random());
    nats += crossEntropy(logits, read);
    ids.push(read);
  } while (read !== tokenizer.bos && ids.length < blockSize);
  const ended = read === tokenizer.bos ? "end" : "block";
  const positions = ids.length;
  return { text: tokenizer.decode(ids), nats, positions, loss: nats / positions, ended };
}

/**
 * Return a generator of random numbers in [0, 1): the same seed gives the same ones.
 *
 * Source: a counter, hashed as in Wellons, "Prospecting for hash functions" (2018).
 * @param {number} seed
 * @returns {() => number}
 */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let word = state ^ (state >>> 16);
    word = Math.imul(word, 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return ((word ^ (word >>> 15)) >>> 0) / 2 ** 32;
  };
}

/**
 * Return the token in whose share a number from 0 to 1 falls.
 * @param {Float64Array} p
 * @param {number} uniform
 * @returns {number}
 */
export function drawn(p, uniform) {
  let left = uniform;
  let last = 0;
  for (let id = 0; id < p.length; id++) {
    if (!p[id]) continue;
    last = id;
    left -= p[id];
    if (left < 0) return id;
  }
  return last; // rounding
}

/**
 * Divide numbers by their sum, in place.
 * @param {Float64Array} p
 * @returns {Float64Array}
 */
function divide(p) {
  const sum = p.reduce((total, one) => total + one, 0);
  for (let i = 0; i < p.length; i++) p[i] /= sum;
  return p;
}
