/**
 * What views ask of a model: of the studio's server, or of the model inside an exported file.
 *
 * @typedef {object} About
 * @property {string} run its name
 * @property {string} unit what a position is called: "character" or "byte"
 * @property {number} documents trained on and held out
 * @property {number} steps updates made
 * @property {number} parameters of the GPT
 * @property {number} blind the loss of a uniform guess, nats a position
 * @property {number | null} held_out its held-out loss; null: not known
 * @property {boolean} mixed whether counts are mixed in
 *
 * @typedef {object} Position
 * @property {string} symbol what came
 * @property {number} nats
 * @property {number} p
 * @property {number} level of its colour, from 0 to 5
 * @property {boolean} unknown whether the model has never seen it: its loss is then fixed
 * @property {[string, number][]} likely the likeliest tokens, and their probabilities
 *
 * @typedef {object} PricedText
 * @property {string} text
 * @property {number} loss nats a position
 * @property {number} nats their sum
 * @property {number} bits a position
 * @property {number} perplexity
 * @property {number | null} [percentile] how many of 100 held-out texts of this length surprise less, where that is known
 * @property {Position[]} positions one for each token, and the end
 *
 * @typedef {object} Logits
 * @property {string[]} symbols the largest logit's first
 * @property {number[]} logits
 * @property {number} target the place of what came
 * @property {number | null} rest the log-sum-exp of logits that are not listed
 *
 * @typedef {object} Following What the next token is drawn from.
 * @property {string[]} symbols of all tokens, in the order of their ids
 * @property {number[]} logits
 *
 * @typedef {object} Drawing How samples are drawn.
 * @property {number} temperature
 * @property {number | null} top_k
 * @property {number} top_p
 * @property {number} min_p
 * @property {string} prompt
 * @property {number} seed
 *
 * @typedef {{text: string, loss: number, ended: "end" | "block"}} Sample
 *
 * @typedef {{name: string, loss: number, is_this: boolean}} Mark A model's mean loss, nats a position.
 * @typedef {{what: string, rungs: Mark[]}} Marks Models that were measured on the same documents, and these in words.
 *
 * @typedef {object} Source
 * @property {(text: string, signal?: AbortSignal) => Promise<PricedText>} price
 * @property {(text: string, position: number) => Promise<Logits>} logits
 * @property {(prompt: string) => Promise<Following>} following
 * @property {(drawing: Drawing, number: number, onSample: (sample: Sample) => void, signal: AbortSignal) => Promise<boolean[] | null>} samples
 *   answers which of them stand in the training data; null: that is not known
 * @property {(signal: AbortSignal) => Promise<Marks>} [marks] the losses of the model and of models that count,
 *   on the documents that it is measured on; none if these are missing
 */

/**
 * Of the models that were measured, the model itself, and those that count what came before.
 *
 * @param {Marks} measured
 * @returns {Marks}
 */
export const marked = ({ what, rungs }) => ({ what, rungs: rungs.filter((one) => one.is_this || one.name === "pairs" || one.name.endsWith("-grams")) });
