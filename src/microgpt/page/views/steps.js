/** The way of one loss: logits, shifted, exponentials, probabilities, -log p; every logit can be moved. */

import { h } from "../dom.js";
import { crossEntropy } from "../loss.js";
import { figures, percent } from "../numbers.js";

/** The most tokens in the table. */
const ROWS = 10;

/**
 * @param {import("../source.js").Logits} given
 * @param {import("../source.js").PricedText} text
 * @param {number} at the position
 * @param {(nats: number) => void} onMove the loss has changed under a hand
 * @returns {HTMLElement}
 */
export function steps(given, text, at, onMove) {
  const logits = [...given.logits];
  const shown = logits.map((_, i) => i).filter((i) => i < ROWS || i === given.target);
  const others = text.nats - text.positions[at].nats;
  const rows = shown.map((i) => {
    const slider = h("input", {
      type: "range", min: Math.floor(logits[i]) - 8, max: Math.ceil(logits[i]) + 8, step: 0.05, value: logits[i],
      "aria-label": `logit of ${given.symbols[i]}`,
      oninput: () => {
        logits[i] = Number(slider.value);
        onMove(show());
      },
    });
    return { i, slider, cells: Array.from({ length: 4 }, () => h("td")) };
  });
  const sentence = h("p", { id: "way" });

  function show() {
    const way = crossEntropy(logits, given.target, given.rest);
    for (const { i, slider, cells } of rows) {
      slider.setAttribute("aria-valuetext", figures(logits[i]));
      cells[0].textContent = figures(logits[i]);
      cells[1].textContent = figures(way.shifted[i]);
      cells[2].textContent = figures(way.exps[i]);
      cells[3].textContent = percent(way.p[i]);
    }
    const mean = (others + way.nats) / text.positions.length;
    sentence.textContent =
      `p of ${given.symbols[given.target]} = ${percent(way.p[given.target])}, and -log p = ${figures(way.nats)} nats: ` +
      `${percent(way.nats / (others + way.nats || 1))} of this text's loss. Mean of the text: ${figures(mean)} nats.`;
    return way.nats;
  }

  function reset() {
    given.logits.forEach((z, i) => (logits[i] = z));
    for (const { i, slider } of rows) slider.value = String(logits[i]);
    onMove(show());
  }

  show();
  return h(
    "div", { class: "steps" },
    sentence,
    h(
      "div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "From logits to probabilities" },
      h(
        "table", {},
        h("caption", {}, "The likeliest tokens here, and the one that came. Move a logit: all probabilities answer."),
        h("thead", {}, h("tr", {}, ...["token", "move", "logit", "- largest", "exp", "probability"].map((name) => h("th", { scope: "col" }, name)))),
        h(
          "tbody", {},
          ...rows.map(({ i, slider, cells }) =>
            h("tr", { class: i === given.target && "this" }, h("th", { scope: "row" }, given.symbols[i]), h("td", {}, slider), ...cells),
          ),
        ),
      ),
    ),
    h("button", { type: "button", onclick: reset }, "As the model had it"),
  );
}
