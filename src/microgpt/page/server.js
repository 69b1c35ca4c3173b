/**
 * What views ask of the studio's server.
 *
 * @typedef {{run: string, unit: string, documents: number, steps: number, parameters: number, blind: number, held_out: number | null, mixed: boolean}} About
 * @typedef {{symbol: string, nats: number, p: number, level: number, unknown: boolean, likely: [string, number][]}} Position
 * @typedef {{text: string, loss: number, nats: number, bits: number, perplexity: number, positions: Position[]}} PricedText
 * @typedef {{symbols: string[], logits: number[], target: number, rest: number | null}} Logits
 */

/** A question that the server refused; its message is a sentence to show. */
export class Refused extends Error {}

/**
 * @param {string} path
 * @param {object} question
 * @returns {Promise<any>}
 */
async function ask(path, question) {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, { method: "POST", body: JSON.stringify(question) });
  } catch {
    throw new Refused("The studio does not answer: it was stopped. Start microgpt studio again, and open its new address.");
  }
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text);
  throw new Refused(answer.headers.get("content-type")?.includes("json") ? JSON.parse(text).error : text.trim());
}

/** @returns {Promise<string[]>} */
export const runs = async () => (await ask("/api/runs", {})).runs;

/** @type {(run: string) => Promise<About>} */
export const about = (run) => ask("/api/about", { run });

/** @type {(run: string, text: string) => Promise<PricedText>} */
export const price = (run, text) => ask("/api/price", { run, text });

/** @type {(run: string, text: string, position: number) => Promise<Logits>} */
export const logits = (run, text, position) => ask("/api/logits", { run, text, position });
