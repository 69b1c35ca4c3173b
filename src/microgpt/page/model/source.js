/**
 * The model inside an exported file, as views ask for it: a `Source` (see `page/source.js`).
 *
 * In: a `Model`, what is shown for each token. Out: answers computed here, each in a turn of its own.
 */

import { shown } from "../pieces.js";
import { generator } from "./sampling.js";
import { softmax } from "./operations.js";

/** @typedef {import("./model.js").Model} Model */

/** How many of the likeliest tokens are named, and the most logits that are listed, at a position. */
const LIKELY = 10;
const MOST = 512;

// As `microgpt.wording.level`: nats between two levels of colour, and the highest level.
const STEP = 1.2;
const STRONGEST = 5;

/**
 * Let a model answer.
 * @param {Model} model
 * @param {string[]} symbols what is shown for each token
 * @returns {import("../source.js").Source}
 */
export function source(model, symbols) {
  /** @type {{text: string, found: ReturnType<typeof read>}} */
  let last = { text: "", found: [] };

  /** @param {string} text */
  const read = (text) => [...model.positions(text)];

  /** Read a text, or recall the last one. @param {string} text */
  function positions(text) {
    if (last.text !== text || !last.found.length) last = { text, found: read(text) };
    return last.found;
  }

  return {
    async price(text) {
      await turn();
      const chars = [...text];
      const found = positions(text);
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
      await turn();
      const { logits, target } = positions(text)[position];
      const order = ordered(logits);
      const listed = order.slice(0, MOST);
      if (!listed.includes(target)) listed[MOST - 1] = target;
      const others = order.filter((id) => !listed.includes(id)).map((id) => logits[id]);
      return {
        symbols: listed.map((id) => symbols[id]),
        logits: listed.map((id) => logits[id]),
        target: listed.indexOf(target),
        rest: others.length ? logSumExp(others) : null,
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
        await turn();
        if (signal.aborted) throw new DOMException("other samples were asked for", "AbortError");
        const { text, loss, ended } = model.sample(drawing, random);
        onSample({ text, loss, ended });
      }
      return null; // the file does not hold what the model was trained on
    },
  };
}

/** Wait until what was typed or clicked meanwhile is handled. @returns {Promise<void>} */
const turn = () => new Promise((resolve) => setTimeout(resolve));

/** The ids of tokens, the likeliest first. @param {Float64Array} logits */
const ordered = (logits) => Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);

/** @param {number[]} logits */
function logSumExp(logits) {
  const top = Math.max(...logits);
  return top + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - top), 0));
}

/** @param {string} char */
const glyph = (char) => (char === " " ? "␣" : shown(char));
