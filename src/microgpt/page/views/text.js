/** A text, character by character: what each costs; and how the logits of one position become its loss. */

import { h } from "../dom.js";
import { figures, percent } from "../numbers.js";
import * as address from "../address.js";
import * as server from "../server.js";
import { steps } from "./steps.js";

/**
 * @param {server.About} about
 * @param {(sentence: string) => void} say
 * @returns {HTMLElement}
 */
export function text(about, say) {
  const field = h("input", { class: "text", id: "text", type: "text", autocomplete: "off", spellcheck: "false", maxlength: 2000 });
  const sum = h("p", { id: "sum" });
  const characters = h("ol", { class: "heat", id: "characters", "aria-label": "The characters; choose one" });
  const inside = h("div", { id: "inside" });
  let asked = 0;

  async function priced() {
    const mine = ++asked;
    address.set({ text: field.value });
    try {
      const found = await server.price(about.run, field.value);
      if (mine !== asked) return; // a newer question is under way
      say("");
      show(found);
    } catch (error) {
      if (mine === asked) say(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {server.PricedText} found */
  function show(found) {
    sum.textContent =
      `${figures(found.loss)} nats a ${about.unit}: the mean of ${found.positions.length} losses, ` +
      `the end included. As unsure as a choice among ${found.perplexity.toFixed(1)}.`;
    const buttons = found.positions.map((position, i) =>
      h(
        "button",
        {
          type: "button",
          class: `s${position.level}`,
          "aria-pressed": "false",
          "aria-label": `${position.symbol}: ${figures(position.nats)} nats, probability ${percent(position.p)}`,
          onclick: () => choose(i),
        },
        h("b", {}, position.symbol),
        h("span", {}, figures(position.nats)),
      ),
    );
    characters.replaceChildren(...buttons.map((button) => h("li", {}, button)));
    const chosen = Number(address.get("at", "0"));
    choose(Math.min(Math.max(Number.isInteger(chosen) ? chosen : 0, 0), buttons.length - 1));

    /** @param {number} i */
    async function choose(i) {
      buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(i === k)));
      address.set({ at: i });
      const position = found.positions[i];
      if (position.unknown) {
        inside.replaceChildren(h("p", {}, `The model has never seen ${position.symbol}: it has no logit, and its loss is fixed.`));
        return;
      }
      try {
        const logits = await server.logits(about.run, found.text, i);
        if (buttons[i].isConnected && buttons[i].getAttribute("aria-pressed") === "true") {
          inside.replaceChildren(steps(logits, found, i));
        }
      } catch (error) {
        say(error instanceof Error ? error.message : String(error));
      }
    }
  }

  field.addEventListener("input", priced);
  field.value = address.get("text", "emma");
  void priced();
  return h(
    "section", { "aria-labelledby": "text-title" },
    h("h2", { id: "text-title" }, "What a text costs"),
    h("div", { class: "row" }, h("label", { for: "text" }, "Text"), field),
    characters,
    sum,
    inside,
  );
}
