/**
 * What the Train view asks of the studio's server.
 *
 * @typedef {[number, number]} Point step, loss in nats a position
 *
 * @typedef {object} Begun
 * @property {number} from the step that it goes on from; 0: it begins
 * @property {number | null} steps of the whole training; null: the clock ends it
 * @property {number} parameters
 * @property {number} lr
 * @property {number | null} muon_lr
 * @property {number} documents trained on
 * @property {number} held_out documents held out
 * @property {string} unit
 * @property {number} block_size
 * @property {number} cut how many characters lie beyond the block, and are not trained on
 * @property {string[]} notes on the text
 *
 * @typedef {object} At
 * @property {number} step
 * @property {number} lr
 * @property {number} seconds
 * @property {number} steps_a_second
 * @property {number} positions_a_second
 *
 * @typedef {object} Ended
 * @property {number | null} loss
 * @property {boolean} held_out whether that is the held-out loss
 * @property {number | null} [error] its standard error
 * @property {number | null} [kept] the step of the state that was kept, if it is not the last
 * @property {string | null} warning
 *
 * @typedef {{most: number, counts: number[], rms: number}} Bins
 * @typedef {{name: string, shape: number[], weights: Bins, gradients: Bins}} Matrix
 * @typedef {{step: number, samples: [string, boolean][], matrices: Matrix[]}} Look
 * @typedef {{begun?: Begun, curve?: {points: Point[], held_out: Point[], at: At | null}, ended?: Ended, look?: Look}} Event
 *
 * @typedef {{what: string, levels: {name: string, loss: number}[]}} Levels
 */

import { ask, stream } from "../server.js";

/** Names this page to the server, which trains one draft of it at a time. */
const TAB = crypto.randomUUID();

/** @returns {Promise<import("./settings.js").Preset[]>} */
export const presets = async () => (await ask("/api/presets", {})).presets;

/** @type {(question: object, signal: AbortSignal) => Promise<Levels>} */
export const levels = (question, signal) => ask("/api/levels", question, signal);

/**
 * Train a draft.
 *
 * @param {object} question
 * @param {(event: Event) => void} onEvent
 * @param {AbortSignal} signal
 */
export const draft = (question, onEvent, signal) => stream("/api/draft", { ...question, tab: TAB }, onEvent, signal);

/** Train the same as a run. @type {(question: object) => Promise<{run: string, file: string | null}>} */
export const keep = (question) => ask("/api/keep", { ...question, tab: TAB });
