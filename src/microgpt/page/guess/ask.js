/**
 * What the view Guess asks the studio.
 *
 * @typedef {object} Guessed a token that has been bet on
 * @property {string} symbol what came
 * @property {number} share that was bet on it
 * @property {number | null} yours nats; null: infinite
 * @property {number} model nats
 * @property {number | null} counts nats; null: not known
 * @property {number} level of the colour of your loss
 * @property {[string, number][]} likely what the model thought likeliest
 * @property {[number | null, number, number | null]} means up to here: yours, the model's, the counts'
 *
 * @typedef {object} Game
 * @property {string} game its id
 * @property {string} what the text that is hidden, a sentence
 * @property {string[]} symbols of all tokens, in the order of their ids
 * @property {number} end the id of the token that ends a text
 * @property {string} counts the name of the model that counts; "": there is none
 * @property {number} blind the loss of a uniform guess
 * @property {Guessed[]} guessed the tokens so far
 * @property {string | null} text once all of it has been guessed
 *
 * @typedef {{weights: [number, number][], sure: number, keep: boolean}} Bet
 */

import { ask } from "../server.js";

/** @type {(run: string, seed: number, game: string, signal: AbortSignal) => Promise<Game>} */
export const begin = (run, seed, game, signal) => ask("/api/guess", { run, seed, game }, signal);

/** @type {(game: Game, bet: Bet, signal: AbortSignal) => Promise<Game>} */
export const place = ({ game, guessed }, bet, signal) => ask("/api/guess/bet", { game, at: guessed.length, bet }, signal);
