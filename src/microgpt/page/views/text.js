/** A text, or two side by side, character by character; and how the logits of one position become its loss. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { figures } from "../numbers.js";
import { button, shown } from "../pieces.js";
import { line } from "../text/line.js";
import { steps } from "./steps.js";

/** @typedef {import("../text/line.js").Line} Line */

/**
 * @param {import("../frame.js").Context} context
 * @returns {HTMLElement}
 */
export function text(context) {
  const { about, source, say, signal } = context;
  const inside = h("div", { id: "inside" });
  const difference = h("p", { id: "difference" });
  let asked = 0;
  const one = made("Text", "text", "emma");
  const other = made("Other", "other", "");
  const compare = button("", () => comparing(!address.has("other")), { id: "compare" });

  /** @param {string} label @param {string} name @param {string} usual @returns {Line} */
  function made(label, name, usual) {
    return line({ label, name, usual, context, onPriced: (isTyped) => priced(name, isTyped), onChoose: (i) => void choose(name, i) });
  }

  /** @param {string} name of a line that has new losses @param {boolean} isTyped */
  function priced(name, isTyped) {
    draw();
    const it = name === "text" ? one : other;
    const at = Number(address.get("at", "0"));
    const chosen = address.has("other") ? address.get("in", "text") : "text";
    if (isTyped || chosen === name) it.choose(Number.isInteger(at) ? at : 0);
    const [a, b] = [one.found, other.found];
    if (!a || !b) return;
    const less = Math.abs(a.loss - b.loss);
    const [low, high] = a.loss <= b.loss ? [a, b] : [b, a];
    difference.textContent = less
      ? `${shown(low.text)} costs ${figures(less)} nats a ${about.unit} less than ${shown(high.text)}: the model gives its ${about.unit}s ${Math.exp(less).toFixed(1)} times the probability, on (geometric) average.`
      : `Both cost the same, ${figures(low.loss)} nats a ${about.unit}.`;
  }

  /**
   * Draw the heights of both texts on one scale.
   *
   * @param {string} [name] of the line in which a loss was moved
   * @param {{i: number, nats: number}} [moved]
   */
  function draw(name, moved) {
    const all = [one, other].flatMap((it) => it.found?.positions ?? []).map((its) => its.nats);
    const most = Math.max(...all, moved?.nats ?? 0, 1e-9);
    one.draw(most, name === "text" ? moved : undefined);
    other.draw(most, name === "other" ? moved : undefined);
  }

  /** @param {string} name @param {number} i */
  async function choose(name, i) {
    const mine = ++asked;
    const [it, rest] = name === "text" ? [one, other] : [other, one];
    if (!it.found) return;
    const found = it.found;
    rest.unchoose();
    address.set({ at: i, in: name === "text" ? null : name });
    draw();
    const { symbol, unknown } = found.positions[i];
    if (unknown) return inside.replaceChildren(h("p", {}, `The model has never seen ${symbol}: it has no logit, and its loss is fixed.`));
    try {
      const logits = await source.logits(found.text, i);
      if (mine !== asked || signal.aborted) return;
      inside.replaceChildren(steps(logits, found, i, (nats) => draw(name, { i, nats })));
    } catch (error) {
      if (mine === asked && !signal.aborted) say(sentence(error));
    }
  }

  /** @param {boolean} isOn whether two texts are shown */
  function comparing(isOn) {
    compare.textContent = isOn ? "Only one text" : "Compare with another text";
    other.element.hidden = difference.hidden = !isOn;
    if (isOn) {
      void other.price();
      return other.input.focus();
    }
    address.set({ other: null });
    other.clear();
    draw();
    if (address.get("in")) one.choose(0);
  }

  void one.price();
  comparing(address.has("other"));
  return h(
    "div", { class: "columns" },
    h(
      "section", { "aria-labelledby": "text-title" },
      h("h2", { id: "text-title" }, "What a text costs"),
      one.element,
      other.element,
      difference,
      h("p", { class: "quiet" }, "The dashed line is the mean: as much rises above it as is missing below."),
      compare,
    ),
    h("section", { "aria-labelledby": "inside-title" }, h("h2", { id: "inside-title" }, "How logits become one loss"), inside),
  );
}
