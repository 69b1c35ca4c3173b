/** What the next token is drawn from: a prompt, and the settings that reshape the model's distribution. */

import * as address from "../address.js";
import { shares } from "../chart/shares.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { probabilities } from "../model/sampling.js";
import { field } from "../pieces.js";
import { setting } from "./setting.js";

/** How many tokens are in the chart. */
const TOKENS = 12;

/** @typedef {Omit<import("../source.js").Drawing, "seed">} Choice */

/**
 * Make the section.
 *
 * @param {Pick<import("../frame.js").Context, "source" | "say" | "signal">} context
 * @param {object} on
 * @param {() => Promise<void>} on.change samples are to be drawn for what is chosen now
 * @param {() => void} on.refuse none can be: the prompt was refused
 */
export function next({ source, say, signal }, { change, refuse }) {
  /** @type {import("../source.js").Following | null} */
  let following = null;
  let asked = 0;

  const temperature = setting({ label: "Temperature", name: "temperature", range: [0, 2, 0.05], usual: 0.8, valid: (x) => x >= 0, onInput: changed });
  const topK = setting({ label: "Top-k", name: "k", range: [0, 50, 1], usual: 0, valid: (x) => x >= 0 && Number.isInteger(x), none: "all", onInput: changed });
  const topP = setting({ label: "Top-p", name: "top-p", range: [0.01, 1, 0.01], usual: 1, valid: (x) => x > 0 && x <= 1, onInput: changed });
  const minP = setting({ label: "Min-p", name: "min-p", range: [0, 1, 0.01], usual: 0, valid: (x) => x >= 0 && x <= 1, onInput: changed });
  const prompt = field({ label: "Begin with", value: address.get("prompt"), properties: { class: "text", id: "prompt" }, onInput: (words) => (address.set({ prompt: words }), void ask()) });
  const chart = shares("The next token", "probability", "drawn with");

  /** @returns {Choice} */
  const choice = () => ({ temperature: temperature.value, top_k: topK.value || null, top_p: topP.value, min_p: minP.value, prompt: prompt.input.value });

  function changed() {
    show();
    void change();
  }

  /** Draw the distribution: it is computed here, so that it follows the hand. */
  function show() {
    if (!following) return;
    const { symbols, logits } = following;
    const before = probabilities(Float64Array.from(logits), { ...choice(), temperature: 1, top_k: null, top_p: 1, min_p: 0 });
    const after = probabilities(Float64Array.from(logits), choice());
    const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
    chart.draw(order.slice(0, TOKENS).map((id) => ({ name: symbols[id], before: before[id], after: after[id] })));
  }

  /** Ask for what follows the prompt. */
  async function ask() {
    const mine = ++asked;
    try {
      const found = await source.following(prompt.input.value);
      if (mine !== asked || signal.aborted) return;
      following = found;
      say("");
      show();
      await change();
    } catch (error) {
      if (mine !== asked || signal.aborted) return;
      refuse();
      say(sentence(error));
    }
  }

  return {
    element: h(
      "section", { "aria-labelledby": "next-title" },
      h("h2", { id: "next-title" }, "What it draws from"),
      h("div", { class: "row" }, prompt.element),
      temperature.element, topK.element, topP.element, minP.element,
      chart.element,
    ),
    choice,
    ask,
  };
}
