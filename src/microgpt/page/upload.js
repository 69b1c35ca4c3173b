/**
 * Files that are dropped on the page: sent to the studio, and what its reader sees in them.
 *
 * @typedef {{column?: string | null, field?: string | null, delimiter?: string | null, encoding?: string, stream?: boolean}} ReadAs
 *
 * @typedef {object} Look
 * @property {string} id by which it is asked for
 * @property {string} name
 * @property {number} size bytes
 * @property {"text" | "csv" | "lines of JSON" | "JSON"} form
 * @property {string[]} columns of a table, or the fields of the first object that are text; else empty
 * @property {string | null} column the one that is read
 * @property {number} documents
 * @property {number} characters
 * @property {number} blank rows
 * @property {number} broken rows
 * @property {string[]} notes sentences
 * @property {string[]} first the first documents, cut
 */

import { ask, asked, Refused } from "./server.js";

/** The most bytes that the studio takes. */
export const MOST = 500_000_000;

/**
 * Send a file; return its id.
 *
 * @param {File} file
 * @param {AbortSignal} [signal]
 * @returns {Promise<string>}
 */
export async function upload(file, signal) {
  if (file.size > MOST) {
    throw new Refused(`${file.name} is too large for the page, which takes 500 MB. In a terminal, microgpt score reads files of any size.`);
  }
  const answer = await asked(`/api/upload?name=${encodeURIComponent(file.name)}`, file, signal);
  return (await answer.json()).id;
}

/**
 * Return what the reader sees in a file that was sent.
 *
 * @param {string} id
 * @param {ReadAs} [readAs]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Look>}
 */
export const look = (id, readAs = {}, signal) => ask("/api/look", { id, read_as: readAs }, signal);

/**
 * Return how a file is read by one of its columns.
 *
 * @param {Look} seen
 * @param {string} column
 * @returns {ReadAs}
 */
export const byColumn = (seen, column) => (seen.form === "csv" ? { column } : { field: column });
