/**
 * What a view is, and what it is given.
 *
 * @typedef {object} Context
 * @property {import("./source.js").About} about the run that was chosen
 * @property {import("./source.js").Source} source answers what the view asks of the model
 * @property {(sentence: string) => void} say shows a sentence in the status line; "" clears it
 * @property {AbortSignal} signal aborted when the view is left, or another run is chosen
 *
 * @typedef {object} View
 * @property {string} name in the address
 * @property {string} title in the navigation
 * @property {string} line one sentence that explains the view on a first visit
 * @property {boolean} [needsRun] false: it is shown without a run, too; `about` and `source` are then not to be used
 * @property {(context: Context) => HTMLElement} open makes its content
 */

export {};
