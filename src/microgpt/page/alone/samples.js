/**
 * The view of samples: new texts, drawn as the fields say, and the distribution they begin with.
 */

import { h } from "../dom.js";
import { generator } from "../model/sampling.js";
import { bar, byId, field, glyph, shown } from "./elements.js";

/** @typedef {import("../model/model.js").Model} Model */

const NUMBER = 12;
const FIELDS = ["temperature", "top-k", "top-p", "min-p", "prompt"];

/**
 * Let the view draw.
 * @param {Model} model
 * @param {string} unit the name of a token
 * @param {(text: string) => void} open shows a text character by character
 */
export function samplesView(model, unit, open) {
  let seed = 1;
  let turn = 0;

  /**
   * Draw one text after the other, each in a turn of its own: a field is answered in between.
   * @param {import("../model/sampling.js").Choice} choice
   */
  const draw = (choice) => {
    const mine = ++turn;
    const random = generator(seed);
    /** @type {Node[]} */
    const rows = [];
    const next = () => {
      if (mine !== turn) return;
      const one = model.sample(choice, random);
      const button = h("button", { type: "button", class: "plain" }, shown(one.text));
      button.addEventListener("click", () => open(one.text));
      const mark = one.ended === "block" ? "…" : "";
      const text = h("td", { class: "left words" }, button, mark);
      rows.push(h("tr", {}, text, h("td", {}, one.loss.toFixed(2))));
      if (rows.length < NUMBER) setTimeout(next);
      else byId("samples").replaceChildren(...rows);
    };
    next();
  };

  const show = () => {
    const choice = {
      temperature: Number(field("temperature").value),
      top_k: field("top-k").value ? Math.max(1, Math.trunc(Number(field("top-k").value))) : null,
      top_p: Math.max(Number(field("top-p").value), 0.01),
      min_p: Number(field("min-p").value),
      prompt: field("prompt").value,
    };
    for (const name of ["temperature", "top-p", "min-p"]) {
      byId(`${name}-shown`).textContent = Number(field(name).value).toFixed(2);
    }
    byId("samples-mistake").textContent = "";
    try {
      draw(choice);
      const p = model.probabilities(model.logits(choice.prompt), choice);
      const logits = p.map((share) => Math.log(share));
      const most = model.likeliest(logits, 10).filter((one) => one.p > 0);
      byId("next").replaceChildren(
        ...most.map((one) =>
          h(
            "tr", {},
            h("th", { scope: "row" }, glyph(one.token)),
            h("td", {}, `${(100 * one.p).toFixed(1)} %`),
            bar(one.p / most[0].p),
          ),
        ),
      );
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      byId("samples-mistake").textContent = `Nothing is drawn: ${error.message}.`;
    }
  };

  for (const name of FIELDS) field(name).addEventListener("input", show);
  byId("draw").addEventListener("click", () => {
    seed += 1;
    show();
  });
  byId("samples-unit").textContent = `nats a ${unit}`;
  show();
}
