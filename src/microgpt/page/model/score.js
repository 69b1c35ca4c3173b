/**
 * The score of a text: the loss of each character, as `microgpt score` measures it.
 *
 * In: a predictor, a tokenizer, a text. Out: its characters and their losses; the end is one of them.
 * A text longer than the block is read in windows side by side, each position once.
 */

import { crossEntropy, softmax } from "./operations.js";
import { UNKNOWN } from "./tokenizer.js";

/** @typedef {import("./gpt.js").Predictor} Predictor */
/** @typedef {import("./tokenizer.js").Tokenizer} Tokenizer */
/** @typedef {{token: string, p: number}} Likely A token and its probability; "" is the end. */
/**
 * @typedef {object} Character
 * @property {string | null} char null: the end
 * @property {number[]} losses nats at each of its positions: one, or one a byte
 * @property {number} nats their sum
 * @property {Likely[]} likely the likeliest tokens in its place, in order
 * @property {boolean} unknown whether the model has never seen it
 */
/**
 * @typedef {object} Score
 * @property {string} text
 * @property {Character[]} characters
 * @property {number[]} losses nats at each position
 * @property {number} nats their sum
 * @property {number} loss nats a position
 */

/**
 * Score a text.
 * @param {Predictor} predictor
 * @param {Tokenizer} tokenizer
 * @param {number} blockSize
 * @param {string} text
 * @param {number} [most] how many of the likeliest tokens to list
 * @returns {Score}
 */
export function score(predictor, tokenizer, blockSize, text, most = 10) {
  const { ids, starts, length } = tokenizer.encode(text);
  const { stand_in, unknown_nats } = tokenizer.written;
  const targets = [...ids, tokenizer.bos];
  const places = [...starts, length];
  const chars = [...text];
  /** @type {Character[]} */
  const characters = [];
  /** @type {number[]} */
  const losses = [];
  let decoder = predictor.decoder();
  targets.forEach((target, position) => {
    if (position && position % blockSize === 0) decoder = predictor.decoder();
    const read = position ? targets[position - 1] : tokenizer.bos;
    const logits = decoder.push(read === UNKNOWN ? stand_in : read);
    const unknown = target === UNKNOWN;
    const nats = unknown ? unknown_nats : crossEntropy(logits, target);
    losses.push(nats);
    if (position && places[position] === places[position - 1] && places[position] < length) {
      const last = characters[characters.length - 1];
      last.losses.push(nats);
      last.nats += nats;
      last.unknown ||= unknown;
      return;
    }
    const next = places.find((place, at) => at > position && place > places[position]);
    const char = position === targets.length - 1 ? null : chars.slice(places[position], next).join("");
    const likely = likeliest(logits, tokenizer, most);
    characters.push({ char, losses: [nats], nats, likely, unknown });
  });
  const nats = losses.reduce((sum, one) => sum + one, 0);
  return { text, characters, losses, nats, loss: nats / losses.length };
}

/**
 * Return the likeliest tokens; of equally likely ones the first.
 * @param {Float64Array} logits
 * @param {Tokenizer} tokenizer
 * @param {number} most
 * @returns {Likely[]}
 */
export function likeliest(logits, tokenizer, most) {
  const p = softmax(logits);
  const order = Array.from(p.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  return order.slice(0, most).map((id) => ({ token: tokenizer.decode([id]), p: p[id] }));
}
