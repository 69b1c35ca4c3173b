/** What the page asks of the studio's server. */

import { marked } from "./source.js";

/** @typedef {import("./source.js").About} About */
/** @typedef {import("./source.js").Source} Source */

/** A question that the server refused; its message is a sentence to show. */
export class Refused extends Error {}

const STOPPED = "The studio does not answer: it was stopped. Start microgpt studio again, and open its new address.";

/**
 * Return the answer to a question.
 *
 * @param {string} path
 * @param {object} question
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function ask(path, question, signal) {
  return (await asked(path, JSON.stringify(question), signal)).json();
}

/**
 * Read the events that answer a question, until they end or the signal ends them.
 *
 * @param {string} path
 * @param {object} question
 * @param {(event: any) => void} onEvent
 * @param {AbortSignal} [signal]
 */
export async function stream(path, question, onEvent, signal) {
  const answer = await asked(path, JSON.stringify(question), signal);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await read(reader, signal);
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const parts = text.split("\n\n");
    text = /** @type {string} */ (parts.pop());
    for (const part of parts) {
      if (!part.startsWith("data: ")) continue; // a sign of life
      const event = JSON.parse(part.slice(6));
      if (event.error) throw new Refused(event.error);
      onEvent(event);
    }
  }
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {AbortSignal} [signal]
 */
async function read(reader, signal) {
  try {
    return await reader.read();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(STOPPED);
  }
}

/**
 * Send a request's body, and return the answer once it has begun.
 *
 * @param {string} path
 * @param {BodyInit} body
 * @param {AbortSignal} [signal]
 */
export async function asked(path, body, signal) {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, { method: "POST", body, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(STOPPED);
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  throw new Refused(answer.headers.get("content-type")?.includes("json") ? JSON.parse(text).error : text.trim());
}

/** @returns {Promise<string[]>} */
export const runs = async () => (await ask("/api/runs", {})).runs;

/** @type {(run: string, signal?: AbortSignal) => Promise<About>} */
export const about = (run, signal) => ask("/api/about", { run }, signal);

/**
 * Return what answers for a run.
 *
 * @param {string} run
 * @returns {Source}
 */
export const source = (run) => ({
  price: (text, signal) => ask("/api/price", { run, text }, signal),
  logits: (text, position) => ask("/api/logits", { run, text, position }),
  following: (prompt) => ask("/api/next", { run, prompt }),
  samples: async (drawing, number, onSample, signal) => {
    /** @type {boolean[] | null} */
    let seen = null;
    await stream("/api/samples", { run, number, ...drawing }, (event) => ("seen" in event ? (seen = event.seen) : onSample(event)), signal);
    return seen;
  },
  marks: async (signal) => {
    /** @type {import("./source.js").Marks} */
    let measured = { what: "", rungs: [] };
    await stream("/api/measure", { run }, (event) => (measured = event.measured ?? measured), signal);
    return marked(measured);
  },
});
