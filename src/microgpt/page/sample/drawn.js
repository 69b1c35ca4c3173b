/** The samples as they are drawn, one after the other; and what each character of one of them costs. */

import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { figures } from "../numbers.js";
import { button, heat, shown, table } from "../pieces.js";

/** @typedef {import("../source.js").Sample} Sample */
/** @typedef {{one: Sample, seen: boolean | null | undefined, old: boolean}} Row seen undefined: not known yet; old: drawn for older settings */

/**
 * @typedef {object} Uses What a sample can be used for; without these it is taken apart here alone.
 * @property {(one: Sample) => void} [keep]
 * @property {(text: string) => void} [open]
 */

/**
 * Make the list.
 *
 * @param {import("../frame.js").Context} context
 * @param {Uses} uses
 */
export function drawn({ about, source, say, signal }, { keep, open }) {
  const list = h("div", { id: "samples", "aria-busy": "true" });
  const costs = h("div", { id: "costs" });
  /** @type {Row[]} */
  let rows = [];
  let count = 0;
  let frame = 0;
  let asked = 0;
  signal.addEventListener("abort", () => cancelAnimationFrame(frame));

  /** Show the rows in the next frame: samples come faster than the eye sees. */
  function soon() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(show);
  }

  function show() {
    const known = rows.some((row) => row.seen !== null);
    list.replaceChildren(
      table({
        caption: `Samples, each with its loss by the model itself, nats a ${about.unit}. Choose one to take it apart`,
        head: ["text", "loss", known ? "in the data" : "", ...(keep ? [""] : [])],
        rows: rows.map(({ one, seen }) => [
          button(shown(one.text) + (one.ended === "block" ? "…" : ""), () => (open ? open(one.text) : void price(one)), {
            class: "plain", onpointerenter: () => void price(one), onfocus: () => void price(one),
          }),
          figures(one.loss),
          seen === undefined ? "" : seen === null ? null : seen ? "seen" : "new",
          ...(keep ? [button("Keep", () => keep(one), { "aria-label": `Keep ${shown(one.text)}` })] : []),
        ]),
      }),
    );
    list.querySelectorAll("tbody tr").forEach((element, i) => element.classList.toggle("old", rows[i].old));
  }

  /** Show what each character of a sample costs. @param {Sample} one */
  async function price(one) {
    const mine = ++asked;
    try {
      const { positions } = await source.price(one.text);
      if (mine !== asked || signal.aborted) return;
      const title = `What each ${about.unit} of ${shown(one.text)} costs`;
      costs.replaceChildren(h("h3", {}, title), heat(positions, title).element);
    } catch (error) {
      if (mine === asked && !signal.aborted) say(sentence(error));
    }
  }

  return {
    element: h("div", {}, list, costs),
    /** Samples for new settings come: those of older ones stay until they are replaced. */
    begin() {
      count = 0;
      rows.forEach((row) => (row.old = true));
      list.setAttribute("aria-busy", "true");
    },
    /** @param {Sample} one */
    add(one) {
      rows[count++] = { one, seen: undefined, old: false };
      soon();
    },
    /** No more come: what was asked for is refused. */
    stop() {
      list.setAttribute("aria-busy", "false");
    },
    /** @param {boolean[] | null} seen which stand in the training data; null: that is not known */
    end(seen) {
      rows = rows.slice(0, count).map((row, i) => ({ ...row, seen: seen && seen[i] }));
      cancelAnimationFrame(frame);
      show();
      list.setAttribute("aria-busy", "false");
      if (rows.length) void price(rows[0].one);
    },
  };
}
