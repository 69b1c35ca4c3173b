/**
 * What the view of documents asks the studio.
 *
 * @typedef {{run: string, file?: string, read_as?: import("../upload.js").ReadAs}} On a run, and documents: of a file that was sent, else the run's own
 *
 * @typedef {{name: string | null, symbol: string, loss: number, nats: number, share: number, positions: number, hits: number, documents: number | null}} Part
 * @typedef {{name: string, loss: number, bits: number, bits_per_byte: number, perplexity: number, is_this: boolean}} Rung
 * @typedef {{predictions: number, hits: number, p: number, observed: number, low: number, high: number, least: number, most: number, verdict: string}} Bin
 * @typedef {{came: string, likely: string, loss: number, positions: number}} Confusion
 *
 * @typedef {object} Measured
 * @property {string} what the documents, in words
 * @property {number} documents
 * @property {number} positions
 * @property {number} loss
 * @property {number} bits
 * @property {number} bits_per_byte
 * @property {number} perplexity
 * @property {number} accuracy
 * @property {number} document_loss
 * @property {number} unknown
 * @property {number} unknown_nats
 * @property {string} mixed_with "": it is not mixed
 * @property {Rung[]} rungs
 * @property {string} why there are no baselines; ""
 * @property {Part[]} by_position
 * @property {Part[]} by_length
 * @property {Part[]} by_character
 * @property {number} more_characters
 * @property {Confusion[]} confusions
 * @property {number} more_confusions
 * @property {Bin[]} bins
 * @property {{error: number, low: number, high: number, chance: number}} calibration
 * @property {{value: number, gain: number, positions: number, verdict: string}} temperature
 * @property {{name: string, value: number, better: string, proper: string}[]} rules
 *
 * @typedef {{by: "position" | "character" | "length" | "probability", name?: string | null, least?: number, most?: number}} Slice
 * @typedef {"row" | "loss" | "percentile" | "unknown" | "slice"} Sort
 *
 * @typedef {object} Query
 * @property {Sort} sort
 * @property {boolean} descending
 * @property {string} [text]
 * @property {boolean} [flagged]
 * @property {number | null} [least]
 * @property {number | null} [rate]
 * @property {Slice} [slice]
 *
 * @typedef {{document: number, row: number, text: string, loss: number, percentile: number | null, unknown: number, flagged: boolean | null, slice: number | null}} Row
 * @typedef {{total: number, documents: number, flagged: number | null, percentiles: boolean, warning: string, promise: string, rows: Row[]}} Page
 */

import { ask, stream } from "../server.js";

/** Documents that are not where they were; the message says what to do. */
export class Missing extends Error {}

/**
 * Read events until the last one; return it.
 *
 * @param {string} path
 * @param {object} question
 * @param {(documents: number) => void} onProgress
 * @param {AbortSignal} signal
 */
async function last(path, question, onProgress, signal) {
  /** @type {any} */
  let found = {};
  await stream(path, question, (event) => {
    found = event;
    if (event.documents) onProgress(event.documents);
  }, signal);
  if (found.missing) throw new Missing(found.missing);
  return found;
}

/**
 * Measure a run on documents.
 *
 * @param {On} on
 * @param {(documents: number) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<Measured>}
 */
export const measure = async (on, onProgress, signal) => (await last("/api/measure", on, onProgress, signal)).measured;

/**
 * Score documents, which can then be asked for; return how many there are.
 *
 * @param {On} on
 * @param {(documents: number) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<number>}
 */
export const score = async (on, onProgress, signal) => (await last("/api/score", on, onProgress, signal)).documents;

/**
 * Find the documents of a slice, of which rows can then be asked for; return how many there are.
 *
 * @param {On} on documents that have been scored
 * @param {Slice} slice
 * @param {(documents: number) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<number>}
 */
export const cut = async (on, slice, onProgress, signal) => (await last("/api/slice", { ...on, slice }, onProgress, signal)).documents;

/** @type {(on: On, query: Query, first: number, count: number, signal?: AbortSignal) => Promise<Page>} */
export const rows = (on, query, first, count, signal) => ask("/api/rows", { ...on, ...query, first, count }, signal);

/** @type {(on: On, document: number, signal?: AbortSignal) => Promise<{row: number, text: string, characters: number}>} */
export const opened = (on, document, signal) => ask("/api/document", { ...on, document }, signal);

/**
 * Return the address of all rows as a CSV file.
 *
 * @param {On} on
 * @param {number | null} rate
 */
export function csv(on, rate) {
  const words = { run: on.run, file: on.file, column: on.read_as?.column, field: on.read_as?.field, rate };
  const asked = Object.entries(words).filter(([, value]) => value != null && value !== "");
  return `/api/rows.csv?${new URLSearchParams(asked.map(([name, value]) => [name, String(value)]))}`;
}
