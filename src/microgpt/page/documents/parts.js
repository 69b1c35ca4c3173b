/** Where the loss comes from: by position, by character, by length; the documents behind each part. */

import * as address from "../address.js";
import { bars } from "../chart/bars.js";
import { h } from "../dom.js";
import { counted, figures } from "../numbers.js";
import { bar, button, table } from "../pieces.js";

/**
 * What a part is called, and what is said of it.
 *
 * @type {Record<"position" | "character" | "length", {name: string, line: string, chart: string}>}
 */
const KINDS = {
  position: { name: "position", line: "The first characters are guessed with nothing before them; later ones should be cheaper.", chart: "Mean loss by the position of a character in its document" },
  character: { name: "character", line: "Those that cost most in all come first: common ones by their number, rare ones by their price. ⏎ is the end.", chart: "" },
  length: { name: "length", line: "A document is as long as its characters. Long ones give more to go by.", chart: "Mean loss by the length of the document" },
};

/**
 * @param {object} given
 * @param {"position" | "character" | "length"} given.by
 * @param {import("./asking.js").Measured} given.found
 * @param {string} given.unit
 * @param {(slice: import("./asking.js").Slice, words: string) => void} given.onChoose a part was chosen
 * @returns {HTMLElement}
 */
export function parts({ by, found, unit, onChoose }) {
  const { name, line, chart } = KINDS[by];
  const some = { position: found.by_position, character: found.by_character, length: found.by_length }[by];
  const most = Math.max(...some.map((part) => part.share));
  /** @param {import("./asking.js").Part} part */
  function choose(part) {
    address.set({ slice: part.symbol });
    some.forEach((one, i) => (one === part ? buttons[i].setAttribute("aria-current", "true") : buttons[i].removeAttribute("aria-current")));
    onChoose({ by, name: part.name }, words(by, part));
  }
  const buttons = some.map((part) => button(part.symbol, () => choose(part), { class: "plain", "aria-label": `Documents with ${name} ${part.symbol}` }));
  const chosen = some.find((part) => part.symbol === address.get("slice"));
  if (chosen) choose(chosen);
  const more = by === "character" ? found.more_characters : 0;
  return h(
    "div", {},
    h("p", { class: "quiet" }, line, ` Choose a ${name} to see the documents behind it.`),
    chart && bars({ title: chart, x: name, y: `nats a ${unit}`, bins: some.map(bin) }).element,
    h(
      "div", { class: "tall" },
      table({
        caption: `By ${name}; a bar is as long as the part's share of the whole loss`,
        head: [name, "nats each", "share", "", "guessed right", by === "length" ? "documents" : "how many"],
        rows: some.map((part, i) => [
          buttons[i],
          figures(part.loss),
          `${(100 * part.share).toFixed(1)} %`,
          bar(part.share / most),
          `${((100 * part.hits) / part.positions).toFixed(0)} %`,
          counted(part.documents ?? part.positions),
        ]),
      }),
    ),
    more > 0 && h("p", { class: "quiet" }, `And ${counted(more)} more.`),
    by === "character" && mistaken(found),
  );
}

/**
 * @param {"position" | "character" | "length"} by
 * @param {import("./asking.js").Part} part
 */
const words = (by, part) =>
  by === "character" && part.name === null ? "The ends of documents" : { position: `Documents with a character at position ${part.symbol}`, character: `Documents with ${part.symbol}`, length: `Documents of length ${part.symbol}` }[by];

/**
 * The bar of a part: "3" from 2.5 to 3.5, "17-32" from 16.5 to 32.5.
 *
 * @param {import("./asking.js").Part} part
 * @returns {import("../chart/bars.js").Bin}
 */
function bin(part) {
  const [first, last] = String(part.name).split("-").map(Number);
  return [first - 0.5, (last ?? first) + 0.5, part.loss];
}

/** @param {import("./asking.js").Measured} found */
function mistaken({ confusions, more_confusions }) {
  return h(
    "details", {},
    h("summary", {}, "What came while another was expected"),
    h(
      "div", { class: "tall" },
      table({
        caption: "The most frequent first",
        head: ["came", "expected", "times", "nats each"],
        rows: confusions.map((one) => [one.came, one.likely, counted(one.positions), figures(one.loss)]),
      }),
    ),
    more_confusions > 0 && h("p", { class: "quiet" }, `And ${counted(more_confusions)} more.`),
  );
}
