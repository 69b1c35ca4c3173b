/**
 * The score of a text: the loss of each character, as `microgpt score` measures it.
 *
 * In: a predictor, a tokenizer, a text. Out: its characters and their losses; the end is one of them.
 * A text longer than the block is read in windows, side by side; those of a text of more than APART blocks overlap: each but
 * the first begins with half a block of context, which the window before has counted. There a cache of the text helps, if the
 * model has one.
 */

import { crossEntropy, softmax } from "./operations.js";
import { UNKNOWN } from "./tokenizer.js";

const APART = 8; // as in data/windows.py

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
 * Read a text; yield what each position was predicted from and what it costs.
 * @param {Predictor} predictor
 * @param {Tokenizer} tokenizer
 * @param {number} blockSize
 * @param {string} text
 * @returns {Generator<{target: number, place: number, logits: Float64Array, nats: number, unknown: boolean}>}
 *   `place`: the character in which the target begins; the end's is the number of characters
 */
export function* positions(predictor, tokenizer, blockSize, text) {
  const { ids, starts, length } = tokenizer.encode(text);
  const { stand_in, unknown_nats } = tokenizer.written;
  const targets = [...ids, tokenizer.bos];
  const places = [...starts, length];
  const context = targets.length > APART * blockSize ? Math.floor(blockSize / 2) : 0;
  /** @param {number} position */
  const read = (position) => {
    const id = position ? targets[position - 1] : tokenizer.bos;
    return id === UNKNOWN ? stand_in : id;
  };
  const cached = targets.length > APART * blockSize ? predictor.cache?.reader() : undefined;
  let decoder = predictor.decoder();
  for (const [position, target] of targets.entries()) {
    if (position >= blockSize && (position - blockSize) % (blockSize - context) === 0) {
      decoder = predictor.decoder();
      for (let before = position - context; before < position; before++) decoder.push(read(before));
    }
    const pushed = decoder.push(read(position));
    const logits = cached ? cached.mix(pushed) : pushed;
    cached?.read(read(position + 1));
    const unknown = target === UNKNOWN;
    yield { target, place: places[position], logits, nats: unknown ? unknown_nats : crossEntropy(logits, target), unknown };
  }
}

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
  const chars = [...text];
  const found = [...positions(predictor, tokenizer, blockSize, text)];
  /** @type {Character[]} */
  const characters = [];
  found.forEach(({ place, logits, nats, unknown }, i) => {
    if (i && place === found[i - 1].place && place < chars.length) {
      const last = characters[characters.length - 1];
      last.losses.push(nats);
      last.nats += nats;
      last.unknown ||= unknown;
      return;
    }
    const next = found.find((one, at) => at > i && one.place > place)?.place;
    const char = i === found.length - 1 ? null : chars.slice(place, next).join("");
    characters.push({ char, losses: [nats], nats, likely: likeliest(logits, tokenizer, most), unknown });
  });
  const losses = found.map((one) => one.nats);
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
