/** New texts: how the distribution of the next token changes under the sliders, and what is drawn from it. */

import * as address from "../address.js";
import { shares } from "../chart/shares.js";
import { h } from "../dom.js";
import { keeper } from "../kept.js";
import { probabilities } from "../model/sampling.js";
import { figures } from "../numbers.js";
import { button, field, shown, slider, table } from "../pieces.js";

/** How many samples, and how many tokens in the chart. */
const NUMBER = 12;
const TOKENS = 12;

/** @type {import("../frame.js").View} */
export const view = {
  name: "sample",
  title: "Sample",
  line: "The model draws a text token by token. The sliders reshape what it draws from: dashed as the model has it, solid as it is drawn.",
  open,
};

/** @param {import("../frame.js").Context} context */
function open({ about, source, say, signal }) {
  /** @type {import("../source.js").Following | null} */
  let following = null;
  let asked = 0;
  let turn = new AbortController();
  let seed = Number(address.get("seed", "42")) || 42;
  signal.addEventListener("abort", () => turn.abort());

  const number = (/** @type {string} */ name, /** @type {number} */ usual) => Number(address.get(name, String(usual)));
  const made = (/** @type {string} */ label, /** @type {string} */ name, /** @type {number[]} */ [min, max, step, usual], words = (/** @type {number} */ x) => x.toFixed(2)) =>
    slider({ label, min, max, step, value: number(name, usual), shown: words, onInput: (x) => changed({ [name]: x }) });
  const temperature = made("Temperature", "temperature", [0, 2, 0.05, 0.8]);
  const topK = made("Top-k", "k", [0, 50, 1, 0], (x) => (x ? String(x) : "all"));
  const topP = made("Top-p", "top-p", [0.01, 1, 0.01, 1]);
  const minP = made("Min-p", "min-p", [0, 1, 0.01, 0]);
  const prompt = field({ label: "Begin with", value: address.get("prompt"), properties: { class: "text", id: "prompt" }, onInput: (words) => (address.set({ prompt: words }), void ask()) });
  const chart = shares("The next token", "probability", "drawn with");
  const samples = h("div", { id: "samples" });
  const keeping = keeper(about.run, say);

  /** @returns {import("../source.js").Drawing} */
  const drawing = () => ({
    temperature: temperature.value, top_k: topK.value || null, top_p: topP.value, min_p: minP.value, prompt: prompt.input.value, seed,
  });

  /** @param {Record<string, number>} values */
  function changed(values) {
    address.set(values);
    show();
    void draw();
  }

  /** Draw the distribution: it is computed here, so that it follows the hand. */
  function show() {
    if (!following) return;
    const { symbols, logits } = following;
    const before = probabilities(Float64Array.from(logits), { ...drawing(), temperature: 1, top_k: null, top_p: 1, min_p: 0 });
    const after = probabilities(Float64Array.from(logits), drawing());
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
      await draw();
    } catch (error) {
      if (mine !== asked || signal.aborted) return;
      turn.abort();
      say(error instanceof Error ? error.message : String(error));
    }
  }

  /** Draw samples; what was being drawn for older settings is given up. */
  async function draw() {
    turn.abort();
    const mine = (turn = new AbortController());
    /** @type {import("../source.js").Sample[]} */
    const found = [];
    try {
      const seen = await source.samples(drawing(), NUMBER, (one) => void found.push(one), mine.signal);
      if (!mine.signal.aborted) list(found, seen);
    } catch (error) {
      if (!mine.signal.aborted) say(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {import("../source.js").Sample[]} found @param {boolean[] | null} seen */
  function list(found, seen) {
    samples.replaceChildren(
      table({
        caption: `Samples, each with its loss by the model itself, nats a ${about.unit}. Choose one to see what each ${about.unit} costs`,
        head: ["text", "loss", seen ? "in the data" : "", ""],
        rows: found.map((one, i) => [
          button(shown(one.text) + (one.ended === "block" ? "…" : ""), () => address.go({ view: "loss", text: one.text, at: 0 }), { class: "plain" }),
          figures(one.loss),
          seen && (seen[i] ? "seen" : "new"),
          button("Keep", () => keeping.add(one), { "aria-label": `Keep ${shown(one.text)}` }),
        ]),
      }),
    );
  }

  const again = button("Draw others", () => {
    address.set({ seed: ++seed });
    void draw();
  }, { class: "main" });

  void ask();
  return h(
    "div", { class: "columns" },
    h("section", { "aria-labelledby": "next-title" },
      h("h2", { id: "next-title" }, "What it draws from"),
      h("div", { class: "row" }, prompt.element),
      temperature.element, topK.element, topP.element, minP.element,
      chart.element,
    ),
    h("section", { "aria-labelledby": "samples-title", class: "samples" },
      h("h2", { id: "samples-title" }, "What comes of it"),
      h("div", { class: "row" }, again),
      samples,
      keeping.element,
    ),
  );
}
