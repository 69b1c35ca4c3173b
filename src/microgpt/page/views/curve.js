/** The curve -log p, with a point to drag; what other objectives say there, and the slope each puts on the logit. */

import * as address from "../address.js";
import { plot } from "../chart/plot.js";
import { h } from "../dom.js";
import { OBJECTIVES } from "../loss.js";
import { figures } from "../numbers.js";

const LEAST = 1e-5;
const KINDS = /** @type {const} */ (["one", "two", "three"]);
const PLACES = Array.from({ length: 121 }, (_, i) => LEAST ** (1 - i / 120));

/** @type {import("../frame.js").View} */
export const view = {
  name: "curve",
  title: "Curve",
  line: "The model gives what came next a probability p. Its loss is -log p. Drag the point.",
  open,
};

/** @param {import("../frame.js").Context} context */
function open({ about, source, signal }) {
  const marks = [{ name: "blind guess", x: Math.exp(-about.blind) }];
  if (about.held_out !== null) marks.push({ name: "this model", x: Math.exp(-about.held_out) });
  const draw = (/** @type {"value" | "slope"} */ what) =>
    OBJECTIVES.map((objective, i) => ({
      name: objective.name,
      kind: KINDS[i],
      points: PLACES.map((p) => /** @type {[number, number]} */ ([p, objective[what](p)])),
    }));
  const chart = { title: "The loss of a prediction", x: "p: the probability of what came", y: "loss", curves: draw("value"), log: true, low: 0, high: 12 };
  const values = plot(chart, move);
  const slopes = plot(
    { title: "The slope on its logit", x: "p: the probability of what came", y: "slope", curves: draw("slope"), log: true, low: -1, high: 0 },
    move,
  );
  const number = h("input", { class: "number", id: "p", type: "text", inputmode: "decimal", autocomplete: "off" });
  const slider = h("input", { id: "p-slider", type: "range", min: -500, max: 0, step: 1, "aria-label": "p, on a logarithmic scale" });
  const says = h("p", { id: "says" });
  const cells = OBJECTIVES.map(() => [h("td"), h("td")]);

  /** @param {number} p */
  function move(p) {
    const at = Math.min(Math.max(p, LEAST), 1);
    number.value = at >= 0.001 ? String(+at.toPrecision(3)) : at.toExponential(1);
    show(at);
  }

  /** @param {number} p */
  function show(p) {
    slider.value = String(Math.round(100 * Math.log10(p)));
    slider.setAttribute("aria-valuetext", `p = ${number.value}`);
    values.point(p, OBJECTIVES.map((o) => o.value(p)));
    slopes.point(p, OBJECTIVES.map((o) => o.slope(p)));
    OBJECTIVES.forEach((o, i) => {
      cells[i][0].textContent = figures(o.value(p));
      cells[i][1].textContent = figures(o.slope(p));
    });
    says.textContent =
      p < 0.02
        ? "Sure and wrong: -log p still pushes with nearly full force. The other two have almost gone silent: nothing corrects the model here."
        : p > 0.9
          ? "Nearly certain, and right: there is little left to push."
          : "Every objective pushes the target's logit up. The further down p is, the more they differ.";
    address.set({ p: number.value });
  }

  number.addEventListener("input", () => {
    const p = Number(number.value.replace(",", "."));
    number.setAttribute("aria-invalid", String(!(p > 0 && p <= 1)));
    if (p > 0 && p <= 1) show(Math.max(p, LEAST));
  });
  slider.addEventListener("input", () => move(10 ** (Number(slider.value) / 100)));
  move(Number(address.get("p", "0.1")) || 0.1);

  const note = h("p", { class: "quiet", id: "marks" });

  let what = about.held_out === null ? "mean losses" : "mean losses on held-out documents";

  function marked() {
    marks.sort((a, b) => a.x - b.x);
    values.draw({ ...chart, marks });
    const losses = marks.map((mark) => `${mark.name} ${figures(-Math.log(mark.x))}`).join(", ");
    note.textContent = `Marked are ${what}, each at the p that costs as much: ${losses} nats a ${about.unit}.`;
  }

  marked();
  // The models are measured meanwhile; without their documents there are no more marks.
  source.marks?.(signal).then(
    (found) => {
      // The held-out loss is marked already; without one, the page says which documents these were.
      const rungs = found.rungs.filter((one) => about.held_out === null || !one.is_this);
      marks.push(...rungs.map(({ name, loss }) => ({ name, x: Math.exp(-loss) })));
      if (about.held_out === null && rungs.length) what = `the mean losses of this model and others on ${found.what}`;
      marked();
    },
    () => {},
  );

  return h(
    "div", {},
    h("div", { class: "row" }, h("label", { for: "p" }, "p"), number, slider),
    says,
    h(
      "div", { class: "columns" },
      h("section", { "aria-labelledby": "curve-title" }, h("h2", { id: "curve-title" }, "What one prediction costs"), values.element),
      h("section", { "aria-labelledby": "slope-title" }, h("h2", { id: "slope-title" }, "How hard it is corrected"), slopes.element),
    ),
    h(
      "table", { id: "objectives" },
      h("thead", {}, h("tr", {}, ...["minimised", "value", "slope on the logit"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...OBJECTIVES.map((o, i) => h("tr", {}, h("th", { scope: "row" }, o.name), ...cells[i]))),
    ),
    note,
  );
}
