/** Samples that were kept: they stay while others are drawn, and can be copied and downloaded. */

import { csv, save } from "../chart/files.js";
import { h } from "../dom.js";
import { figures } from "../numbers.js";
import { button, shown, table } from "../pieces.js";

/** @typedef {import("../source.js").Sample} Sample */

/**
 * Make the list of kept samples of a run; this tab remembers it.
 *
 * @param {string} run
 * @param {(sentence: string) => void} say
 */
export function keeper(run, say) {
  const name = `microgpt kept ${run}`;
  /** @type {Sample[]} */
  let all = JSON.parse(sessionStorage.getItem(name) ?? "[]");
  const list = h("div", { id: "kept" });

  function show() {
    sessionStorage.setItem(name, JSON.stringify(all));
    if (!all.length) {
      list.replaceChildren(h("p", { class: "quiet" }, "Kept samples stand here: they can be copied and downloaded."));
      return;
    }
    list.replaceChildren(
      table({
        caption: `${all.length} kept`,
        head: ["text", "loss", ""],
        rows: all.map((one, i) => [shown(one.text), figures(one.loss), button("Drop", () => drop(i), { "aria-label": `Drop ${shown(one.text)}` })]),
      }),
      h(
        "div", { class: "row" },
        button("Copy", () => void copy()),
        button("Download text", () => save("samples.txt", "text/plain", lines())),
        button("Download CSV", () => save("samples.csv", "text/csv", csv(numbers()))),
      ),
    );
  }

  /** One text a line, as `microgpt train` reads them. */
  const lines = () => all.map((one) => `${one.text}\n`).join("");
  const numbers = () => ({ head: ["text", "loss"], rows: all.map((one) => [one.text, one.loss]) });

  /** @param {number} i */
  function drop(i) {
    all = all.filter((_, k) => k !== i);
    show();
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(lines());
      say(`${all.length} copied.`);
    } catch {
      say("The browser does not let this page copy. Download them instead.");
    }
  }

  show();
  return {
    element: list,
    /** @param {Sample} one */
    add(one) {
      if (!all.some((other) => other.text === one.text)) all.push(one);
      show();
    },
  };
}
