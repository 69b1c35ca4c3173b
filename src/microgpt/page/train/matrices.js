/** Histograms of a matrix's weights and of their gradients. */

import * as address from "../address.js";
import { bars } from "../chart/bars.js";
import { h } from "../dom.js";
import { figures } from "../numbers.js";
import { choice } from "../pieces.js";

/** @typedef {import("./drafts.js").Matrix} Matrix */

export function matrices() {
  /** @type {Matrix[]} */
  let all = [];
  const says = h("p", { class: "quiet" });
  const kinds = /** @type {const} */ (["weights", "gradients"]);
  const charts = kinds.map((kind) => bars({ title: kind, x: "value", y: "numbers", bins: [] }));
  const { element, select } = choice({
    label: "Matrix", options: [], value: "",
    onChange: (name) => {
      address.set({ matrix: name });
      draw();
    },
  });

  function draw() {
    const chosen = all.find((one) => one.name === select.value);
    if (!chosen) return;
    kinds.forEach((kind, i) => {
      const { most, counts } = chosen[kind];
      const edge = (/** @type {number} */ k) => Number((most * ((2 * k) / counts.length - 1)).toPrecision(6));
      charts[i].draw({ title: kind, x: "value", y: "numbers", bins: counts.map((n, k) => [edge(k), edge(k + 1), n]) });
    });
    says.textContent =
      `${chosen.shape.join(" × ")} numbers. Typical weight (root mean square) ${figures(chosen.weights.rms)}; ` +
      `typical gradient ${figures(chosen.gradients.rms)}: what the next step would correct.`;
  }

  return {
    element: h("section", { class: "matrices", "aria-label": "Weights and gradients" }, element, says, ...charts.map((chart) => chart.element)),
    /** @param {Matrix[]} next */
    show(next) {
      const names = next.map((one) => one.name);
      if (names.join() !== all.map((one) => one.name).join()) {
        const chosen = select.value || address.get("matrix", "lm_head");
        select.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
        select.value = names.includes(chosen) ? chosen : names[0];
      }
      all = next;
      draw();
    },
  };
}
