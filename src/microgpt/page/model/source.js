/**
 * The model inside an exported file, as views ask for it: a `Source` (see `page/source.js`).
 *
 * In: a `Model`, what is shown for each token. Out: answers computed here, each in a turn of its own.
 */

import { shown } from "../pieces.js";
import { generator } from "./sampling.js";
import { crossEntropy, softmax } from "./operations.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {ReturnType<Model["positions"]> extends Generator<infer P> ? P[] : never} Read A text, position by position. */

/** How many of the likeliest tokens are named, and the most logits that are listed, at a position. */
const LIKELY = 10;
const MOST = 512;

// As `microgpt.wording.level`: nats between two levels of colour, and the highest level.
const STEP = 1.2;
const STRONGEST = 5;

/** Milliseconds of work after which what was typed or clicked meanwhile is handled. */
const SLICE = 12;

/** How many texts are remembered: two may stand side by side. */
const REMEMBERED = 2;

/**
 * Let a model answer.
 * @param {Model} model
 * @param {string[]} symbols what is shown for each token
 * @param {import("../source.js").Marks} marks the losses of the model and of models that count
 * @returns {import("../source.js").Source}
 */
export function source(model, symbols, marks) {
  /** @type {Map<string, Read>} */
  const remembered = new Map();

  /**
   * Read a text, or recall it.
   * @param {string} text
   * @param {AbortSignal} [signal]
   */
  async function positions(text, signal) {
    await turn(signal);
    const found = remembered.get(text) ?? (await read(text, signal));
    remembered.delete(text);
    remembered.set(text, found);
    for (const old of [...remembered.keys()].slice(0, -REMEMBERED)) remembered.delete(old);
    return found;
  }

  /** @param {string} text @param {AbortSignal} [signal] */
  async function read(text, signal) {
    /** @type {Read} */
    const found = [];
    let began = performance.now();
    for (const one of model.positions(text)) {
      found.push(one);
      if (performance.now() - began < SLICE) continue;
      await turn(signal);
      began = performance.now();
    }
    return found;
  }

  return {
    async price(text, signal) {
      const chars = [...text];
      const found = await positions(text, signal);
      const nats = found.reduce((sum, one) => sum + one.nats, 0);
      const loss = nats / found.length;
      return {
        text, loss, nats, bits: loss / Math.LN2, perplexity: Math.exp(loss), percentile: model.percentile(chars.length, loss),
        positions: found.map((one) => {
          const p = softmax(one.logits);
          const likely = ordered(one.logits).slice(0, LIKELY);
          return {
            symbol: one.unknown ? `${glyph(chars[one.place])}?` : symbols[one.target],
            nats: one.nats,
            p: Math.exp(-one.nats),
            level: Math.min(Math.trunc(one.nats / STEP), STRONGEST),
            unknown: one.unknown,
            likely: likely.map((id) => /** @type {[string, number]} */ ([symbols[id], p[id]])),
          };
        }),
      };
    },

    async logits(text, position) {
      const { logits, target } = (await positions(text))[position];
      const order = ordered(logits);
      const listed = order.slice(0, MOST);
      if (!listed.includes(target)) listed[MOST - 1] = target;
      const others = order.filter((id) => !listed.includes(id)).map((id) => logits[id]);
      return {
        symbols: listed.map((id) => symbols[id]),
        logits: listed.map((id) => logits[id]),
        target: listed.indexOf(target),
        rest: others.length ? others[0] + crossEntropy(others, 0) : null,
      };
    },

    async following(prompt) {
      await turn();
      model.check(prompt);
      return { symbols, logits: [...model.logits(prompt)] };
    },

    async samples(drawing, number, onSample, signal) {
      const random = generator(drawing.seed);
      model.check(drawing.prompt);
      for (let i = 0; i < number; i++) {
        await turn(signal);
        const { text, loss, ended } = model.sample(drawing, random);
        onSample({ text, loss, ended });
      }
      return null; // the file does not hold what the model was trained on
    },

    marks: async () => marks,
  };
}

/**
 * Wait until what was typed or clicked meanwhile is handled; throw if that has made the work stale.
 * @param {AbortSignal} [signal]
 */
async function turn(signal) {
  await new Promise((resolve) => setTimeout(resolve));
  signal?.throwIfAborted();
}

/** The ids of tokens, the likeliest first. @param {Float64Array} logits */
const ordered = (logits) => Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);

/** @param {string} char */
export const glyph = (char) => (char === " " ? "␣" : shown(char));
