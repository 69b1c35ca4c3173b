/** The controls of a training: sliders over sensible values, choices, a budget. */

import { h } from "../dom.js";
import { choice, field, slider } from "../pieces.js";

/** @typedef {ReturnType<typeof import("./settings.js").settings>} Settings */

const range = (/** @type {number} */ n, /** @type {(i: number) => number} */ of) => Array.from({ length: n }, (_, i) => of(i));

const VALUES = {
  n_embd: range(16, (i) => 8 * (i + 1)),
  n_layer: range(6, (i) => i + 1),
  lr: range(41, (i) => Number((10 ** (i / 10 - 4)).toPrecision(2))),
  batch_size: [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 80, 100, 128, 160, 192, 256],
  steps: [50, 100, 200, 300, 500, 700, 1000, 1500, 2000, 2500, 3000, 4500, 7000, 10_000, 20_000, 50_000],
  seconds: [0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600],
};
const LABELS = /** @type {const} */ ({
  lr: "Learning rate", n_embd: "Width", n_layer: "Layers", batch_size: "Batch", steps: "Steps", seconds: "Seconds",
});
const SECONDS = 5;

/**
 * @param {Settings} settings
 * @param {import("./settings.js").Preset[]} presets
 * @param {() => void} onChange called when a hand has changed something
 */
export function controls(settings, presets, onChange) {
  const budget = h("div", {});
  const all = h("div", { class: "controls" });
  const summary = h("p", { class: "quiet" });

  /** Make a slider over values, and the one it has. @param {keyof typeof VALUES} name */
  function over(name) {
    const now = settings.all()[name];
    const values = [...new Set([...VALUES[name], now])].sort((a, b) => a - b);
    return slider({
      label: LABELS[name], min: 0, max: values.length - 1, value: values.indexOf(now),
      shown: (i) => values[i].toLocaleString("en", { maximumSignificantDigits: 6 }),
      onInput: (i) => change(name, values[i]),
    }).element;
  }

  /** @param {import("./settings.js").Name} name @param {number | string | null} value */
  function change(name, value) {
    settings.set(name, value);
    onChange();
  }

  /** Show the slider of the budget. */
  function budgeted() {
    budget.replaceChildren(over(settings.all().seconds ? "seconds" : "steps"));
  }

  function fill() {
    const now = settings.all();
    summary.textContent = settings.preset.summary;
    const unit = choice({
      label: "Budget", options: [["steps", "in steps"], ["seconds", "in seconds"]], value: now.seconds ? "seconds" : "steps",
      onChange: (kind) => {
        settings.set("steps", null);
        settings.set("seconds", kind === "seconds" ? SECONDS : null);
        budgeted();
        onChange();
      },
    });
    const loss = choice({
      label: "Loss", options: [["cross-entropy", "-log p"], ["linear", "1 - p"], ["quadratic", "(1 - p)²"]], value: now.loss,
      onChange: (value) => change("loss", value),
    });
    const seed = field({
      label: "Seed", value: String(now.seed), properties: { type: "number", min: 0, step: 1, class: "number" },
      onInput: (value) => value && change("seed", Number(value)),
    });
    const recipe = choice({
      label: "Preset", options: presets.map((one) => one.name), value: settings.preset.name,
      onChange: (name) => {
        settings.choose(name);
        fill();
        onChange();
      },
    });
    budgeted();
    all.replaceChildren(
      h("div", { class: "row" }, recipe.element, summary),
      over("lr"), over("n_embd"), over("n_layer"), over("batch_size"), budget,
      h("div", { class: "row" }, loss.element, unit.element, seed.element),
    );
  }

  fill();
  return all;
}
