/**
 * What the Inside view asks of the studio.
 *
 * @typedef {object} Asking
 * @property {string} run
 * @property {string} text
 * @property {AbortSignal} signal
 * @property {(sentence: string) => void} say
 *
 * @typedef {object} Head
 * @property {number[][]} shares row t has the share of each position from 0 to t
 * @property {number} positions how many the averages are over
 * @property {number} itself
 * @property {number} previous
 * @property {number} start
 * @property {number} evenness
 * @property {string} says where it looks, without its subject
 *
 * @typedef {object} Seen
 * @property {string[]} read what is read at each position
 * @property {string[]} coming what comes next
 * @property {number} positions of the whole text
 * @property {number} window how many positions the model reads at a time
 * @property {Head[][]} layers
 * @property {string[]} places of the residual stream
 * @property {number[][]} norms a row a place, a column a position
 * @property {number[][]} added
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

/** @type {(asking: Asking) => Promise<Seen>} */
export const seen = ({ run, text, signal }) => ask("/api/inside", { run, text }, signal);

/** @type {(asking: Asking, matrix: string) => Promise<Plane>} */
export const plane = ({ run, text, signal }, matrix) => ask("/api/embeddings", { run, text, matrix }, signal);

/** @type {(asking: Asking, position: number | null, path: string[], first?: number) => Promise<Part>} */
export const part = ({ run, text, signal }, position, path, first = 0) => ask("/api/graph", { run, text, position, path, first }, signal);

/** @type {(asking: Asking, position: number | null, number: number) => Promise<Value>} */
export const value = ({ run, text, signal }, position, number) => ask("/api/value", { run, text, position, number }, signal);
