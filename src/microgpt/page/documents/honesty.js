/** Calibration: do a fifth of the predictions that have a probability of 20 % come true? */

import * as address from "../address.js";
import { plot } from "../chart/plot.js";
import { h } from "../dom.js";
import { counted, figures, percent } from "../numbers.js";
import { button, table } from "../pieces.js";

/** The lowest probability that is drawn. */
const LEAST = 1e-5;

/**
 * @param {object} given
 * @param {import("./asking.js").Measured} given.found
 * @param {string} given.unit
 * @param {(slice: import("./asking.js").Slice, words: string) => void} given.onChoose a bin was chosen
 * @returns {HTMLElement}
 */
export function honesty({ found, unit, onChoose }) {
  const { bins, calibration, temperature, rules } = found;
  /** @param {number} i */
  function choose(i) {
    const { p, least, most } = bins[i];
    address.set({ slice: i });
    buttons.forEach((one, k) => (k === i ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current")));
    onChoose({ by: "probability", least, most }, `Documents in which what came had a probability of about ${percent(p)}`);
  }
  const buttons = bins.map((bin, i) => button(percent(bin.p), () => choose(i), { class: "plain" }));
  const chosen = Number.parseInt(address.get("slice"), 10);
  if (bins[chosen]) choose(chosen);
  const drawn = bins.filter((bin) => bin.p >= LEAST && bin.observed >= LEAST);
  const from = Math.min(...drawn.map((bin) => Math.min(bin.p, bin.observed)), 0.1);
  const chart = plot({
    title: "What came true against the predicted probability", x: "predicted probability", y: "came true", log: true, logUp: true, first: from, last: 1, low: from, high: 1,
    curves: [
      { name: "honest", kind: "three", points: [[from, from], [1, 1]] },
      { name: "this model", kind: "one", points: drawn.map((bin) => /** @type {[number, number]} */ ([bin.p, bin.observed])) },
    ],
  });
  const gain = temperature.gain > 0 ? `would gain ${figures(temperature.gain)} nats` : `would cost ${figures(-temperature.gain)} nats`;
  return h(
    "div", {},
    h("p", { class: "quiet" }, `Of what the model gives 20 %, a fifth should come. All predictions of all ${unit}s are in ${bins.length} bins of as many each: on the dotted line the model is honest, below it too sure.`),
    chart.element,
    h(
      "p", {},
      `Predictions are off by ${(100 * calibration.error).toFixed(2)} percentage points on average (${(100 * calibration.low).toFixed(2)} to ${(100 * calibration.high).toFixed(2)}, 95 times of 100); an honest model's would be by ${(100 * calibration.chance).toFixed(2)}, by chance.`,
      temperature.positions ? ` Dividing all logits by ${temperature.value.toFixed(3)} ${gain} a ${unit}: the model is ${temperature.verdict}.` : "",
    ),
    h(
      "div", { class: "tall" },
      table({
        caption: "Choose a bin to see documents in which what came had such a probability",
        head: ["predicted", "came true", "95 times of 100", "predictions", "verdict"],
        rows: bins.map((bin, i) => [
          buttons[i],
          share(bin.observed), `${share(bin.low)} to ${share(bin.high)}`, counted(bin.predictions), said(bin.verdict),
        ]),
      }),
    ),
    h(
      "details", {},
      h("summary", {}, "Other scores of the same predictions"),
      table({
        caption: "Proper: nobody can do better than to say what they believe",
        head: ["score", "value", "better is", "proper?"],
        rows: rules.map((rule) => [rule.name, rule.value.toFixed(4), rule.better, rule.proper]),
      }),
    ),
  );
}

/** A share that may be nothing. @param {number} p */
const share = (p) => (p < 1e-6 ? "0 %" : percent(p));

/** @param {string} verdict */
const said = (verdict) => ({ less: "comes less often", more: "comes more often" })[verdict] ?? "as predicted";
