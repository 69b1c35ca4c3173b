/**
 * The view of a text: the loss of each character, and what the model expected in its place.
 */

import { h } from "../dom.js";
import { bar, byId, field, glyph } from "./elements.js";

/** @typedef {import("../model/model.js").Model} Model */

// As `microgpt.wording.level`: nats between two levels of colour, and the highest level.
const STEP = 1.2;
const STRONGEST = 5;

/**
 * Let the view answer what is typed.
 * @param {Model} model
 * @param {string} unit the name of a token
 * @returns {(text: string) => void} shows a text
 */
export function textView(model, unit) {
  const input = field("text");
  let chosen = 0;

  /** @param {boolean} keep whether the chosen character stays chosen */
  const show = (keep) => {
    const found = model.score(input.value);
    const { characters } = found;
    if (!keep) {
      const nats = characters.map((one) => one.nats);
      chosen = nats.indexOf(Math.max(...nats));
    }
    chosen = Math.min(chosen, characters.length - 1);
    const bits = found.loss / Math.LN2;
    const rare = found.percentile === null ? "" : ` · rarer than ${found.percentile} % of held-out texts of this length`;
    byId("text-sum").textContent =
      `${found.loss.toFixed(4)} nats a ${unit} · ${bits.toFixed(2)} bits${rare}`;
    byId("text-characters").replaceChildren(
      ...characters.map((one, i) => {
        const level = Math.min(Math.trunc(one.nats / STEP), STRONGEST);
        const name = glyph(one.char) + (one.unknown ? "?" : "");
        const button = h(
          "button",
          { type: "button", class: `s${level}`, "aria-pressed": String(i === chosen) },
          h("b", {}, name), " ", h("span", {}, one.nats.toFixed(2)),
        );
        button.addEventListener("click", () => {
          chosen = i;
          show(true);
          byId("text-characters").querySelectorAll("button")[i].focus();
        });
        return h("li", {}, button);
      }),
    );
    const one = characters[chosen];
    const place = one.char === null ? "the end" : `${glyph(one.char)}, character ${chosen + 1}`;
    const p = Math.exp(-one.nats);
    byId("expected-title").textContent = one.unknown
      ? `At ${place}: unknown to the model, at ${one.nats.toFixed(2)} nats`
      : `At ${place}: p = ${p.toPrecision(3)}, -log p = ${one.nats.toFixed(4)} nats`;
    const top = one.likely[0].p;
    byId("expected").replaceChildren(
      ...one.likely.map(({ token, p: share }) =>
        h(
          "tr", {},
          h("th", { scope: "row" }, glyph(token)),
          h("td", {}, `${(100 * share).toFixed(2)} %`),
          h("td", {}, (-Math.log(share)).toFixed(2)),
          bar(share / top),
        ),
      ),
    );
  };

  input.addEventListener("input", () => show(false));
  show(false);
  return (text) => {
    input.value = text;
    show(false);
    input.focus();
  };
}
