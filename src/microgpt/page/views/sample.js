/** New texts: how the distribution of the next token changes under the sliders, and what is drawn from it. */

import * as address from "../address.js";
import { shares } from "../chart/shares.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { probabilities } from "../model/sampling.js";
import { button, field } from "../pieces.js";
import { drawn } from "../sample/drawn.js";
import { keeper } from "../sample/kept.js";
import { setting } from "../sample/setting.js";

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
function open(context) {
  const { about, source, say, signal } = context;
  /** @type {import("../source.js").Following | null} */
  let following = null;
  let asked = 0;
  let turn = new AbortController();
  let seed = Number(address.get("seed", "42")) || 42;
  signal.addEventListener("abort", () => turn.abort());

  const temperature = setting({ label: "Temperature", name: "temperature", range: [0, 2, 0.05], usual: 0.8, valid: (x) => x >= 0, onInput: changed });
  const topK = setting({ label: "Top-k", name: "k", range: [0, 50, 1], usual: 0, valid: (x) => x >= 0 && Number.isInteger(x), none: "all", onInput: changed });
  const topP = setting({ label: "Top-p", name: "top-p", range: [0.01, 1, 0.01], usual: 1, valid: (x) => x > 0 && x <= 1, onInput: changed });
  const minP = setting({ label: "Min-p", name: "min-p", range: [0, 1, 0.01], usual: 0, valid: (x) => x >= 0 && x <= 1, onInput: changed });
  const prompt = field({ label: "Begin with", value: address.get("prompt"), properties: { class: "text", id: "prompt" }, onInput: (words) => (address.set({ prompt: words }), void ask()) });
  const chart = shares("The next token", "probability", "drawn with");
  const keeping = keeper(about.run, say);
  const samples = drawn(context, keeping.add);

  /** @returns {import("../source.js").Drawing} */
  const drawing = () => ({
    temperature: temperature.value, top_k: topK.value || null, top_p: topP.value, min_p: minP.value, prompt: prompt.input.value, seed,
  });

  function changed() {
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
      samples.stop();
      say(sentence(error));
    }
  }

  /** Draw samples; what was being drawn for older settings is given up. */
  async function draw() {
    turn.abort();
    const mine = (turn = new AbortController());
    samples.begin();
    try {
      const seen = await source.samples(drawing(), NUMBER, (one) => mine.signal.aborted || samples.add(one), mine.signal);
      if (!mine.signal.aborted) samples.end(seen);
    } catch (error) {
      if (mine.signal.aborted) return;
      samples.stop();
      say(sentence(error));
    }
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
      samples.element,
      keeping.element,
    ),
  );
}
