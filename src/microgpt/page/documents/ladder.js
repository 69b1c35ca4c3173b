/** How good the model is: its loss, and the ladder of models beside it. */

import { h } from "../dom.js";
import { counted, figures } from "../numbers.js";
import { bar, table } from "../pieces.js";

/**
 * @param {import("./asking.js").Measured} found
 * @param {string} unit
 * @returns {HTMLElement}
 */
export function ladder(found, unit) {
  const top = found.rungs[0].loss;
  const number = (/** @type {string} */ name, /** @type {string} */ value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const best = found.rungs.filter((rung) => !rung.is_this).pop();
  const unknown = found.unknown ? ` ${counted(found.unknown)} characters are unknown to it: they cost ${found.unknown_nats.toFixed(1)} nats each.` : "";
  return h(
    "div", {},
    h("p", { class: "quiet" }, `On ${found.what}: ${counted(found.positions)} ${unit}s, the end of each document among them.${found.mixed_with ? ` The model is a GPT mixed with ${found.mixed_with}.` : ""}`),
    h(
      "dl", { class: "numbers" },
      number(`nats a ${unit}`, found.loss.toFixed(4)),
      number("bits", found.bits.toFixed(3)),
      number("bits a byte", found.bits_per_byte.toFixed(3)),
      number("as a choice among", found.perplexity.toFixed(1)),
      number("guessed right", `${(100 * found.accuracy).toFixed(1)} %`),
    ),
    h(
      "p", {},
      `On average the model is as unsure as if it had to choose blindly among ${found.perplexity.toFixed(1)} ${unit}s.`,
      best ? ` Of the models beside it the best, ${best.name}, is as unsure as among ${best.perplexity.toFixed(1)}.` : "",
      unknown,
    ),
    found.why && h("p", {}, `No models to compare it with: ${found.why}`),
    table({
      caption: `The same documents, for models that only count; the highest loss first, in nats a ${unit}`,
      head: ["model", "nats", "bits", "bits a byte", "as a choice among", ""],
      rows: found.rungs.map((rung) => [rung.name, rung.loss.toFixed(4), rung.bits.toFixed(3), rung.bits_per_byte.toFixed(3), rung.perplexity.toFixed(1), bar(rung.loss / top)]),
      marked: (i) => found.rungs[i].is_this,
    }),
    h("p", { class: "quiet" }, `Blind: every ${unit} alike. Letters: how common each is. Pairs: after the one before. n-grams: after the few before. A model that has learnt something stands below those that only count. The mean of the documents' own means is ${figures(found.document_loss)} nats.`),
  );
}
