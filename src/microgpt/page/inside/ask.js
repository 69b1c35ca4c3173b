/**
 * What is asked on the inside of a model: of the studio's server, or of what a page holds.
 *
 * @typedef {object} Inside
 * @property {(text: string, signal: AbortSignal) => Promise<Heads>} heads
 * @property {(text: string, signal: AbortSignal) => Promise<Seen>} stream
 * @property {(text: string, matrix: string, signal: AbortSignal) => Promise<Plane>} plane
 * @property {(text: string, position: number | null, path: string[], first: number, signal: AbortSignal) => Promise<Part>} part
 * @property {(text: string, position: number | null, number: number, signal: AbortSignal) => Promise<Value>} value
 */

/**
 * @template {keyof Inside} What
 * @typedef {object} Asking
 * @property {Pick<Inside, What>} inside answers
 * @property {string} text
 * @property {AbortSignal} signal
 * @property {(sentence: string) => void} say
 */

/** * @typedef {object} Head
 * @property {number[][]} shares row t has the share of each position from 0 to t
 * @property {number} positions how many the averages are over
 * @property {number} itself
 * @property {number} previous
 * @property {number} start
 * @property {number} evenness
 * @property {string} says where it looks, without its subject
 *
 * @typedef {object} Heads
 * @property {string[]} read what is read at each position
 * @property {number} positions of the whole text
 * @property {number} window how many positions the model reads at a time
 * @property {Head[][]} layers
 *
 * @typedef {object} Stream
 * @property {string[]} places of the residual stream
 * @property {number[][]} norms a row a place, a column a position
 * @property {number[][]} added
 *
 * @typedef {Heads & Stream} Seen
 *
 * @typedef {object} Mark
 * @property {string} symbol
 * @property {number} x
 * @property {number} y
 * @property {boolean} used whether it is in the text
 * @property {[string, number][]} alike
 *
 * @typedef {object} Plane
 * @property {number} width
 * @property {number} tokens
 * @property {number[]} variance the shares of both axes
 * @property {Mark[]} marks
 *
 * @typedef {object} Fold
 * @property {string[]} path
 * @property {number} values
 * @property {number} gradient
 * @property {number} largest
 * @property {boolean} unfolds
 *
 * @typedef {object} Node
 * @property {number} number
 * @property {string} operation
 * @property {number} data
 * @property {number} grad
 *
 * @typedef {object} Part
 * @property {number} loss
 * @property {number} values of the whole graph
 * @property {string[]} read
 * @property {string[]} coming
 * @property {number[]} losses
 * @property {string[]} path
 * @property {number} first
 * @property {number} count of all entries; at most 200 are here
 * @property {Fold[]} folds
 * @property {string[]} labels
 * @property {Node[]} nodes
 * @property {Fold[]} boxes
 * @property {[string, string, number][]} arrows
 *
 * @typedef {Node & {path: string[], derivative: number, flow: number}} Link
 *
 * @typedef {Node & {path: string[], inputs: Link[], inputs_count: number, uses: Link[], uses_count: number}} Value
 */

import { ask } from "../server.js";

/**
 * Return what answers for a run of the studio.
 *
 * @param {string} run
 * @returns {Inside}
 */
export const inside = (run) => ({
  heads: (text, signal) => ask("/api/inside", { run, text }, signal),
  stream: (text, signal) => ask("/api/inside", { run, text }, signal),
  plane: (text, matrix, signal) => ask("/api/embeddings", { run, text, matrix }, signal),
  part: (text, position, path, first, signal) => ask("/api/graph", { run, text, position, path, first }, signal),
  value: (text, position, number, signal) => ask("/api/value", { run, text, position, number }, signal),
});
