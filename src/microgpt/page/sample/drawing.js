/** Samples that are drawn again whenever what they are drawn from changes. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { button } from "../pieces.js";
import { drawn } from "./drawn.js";
import { next } from "./next.js";

/**
 * Make two sections: what is drawn from, and the samples.
 *
 * @param {import("../frame.js").Context} context
 * @param {number} number of samples
 * @param {import("./drawn.js").Uses} uses of a sample
 */
export function sampling(context, number, uses) {
  const { source, say, signal } = context;
  let turn = new AbortController();
  let seed = Number(address.get("seed", "42")) || 42;
  signal.addEventListener("abort", () => turn.abort());
  const samples = drawn(context, uses);

  /** Draw samples; what was being drawn for older settings is given up. */
  async function draw() {
    turn.abort();
    const mine = (turn = new AbortController());
    samples.begin();
    try {
      const seen = await source.samples({ ...from.choice(), seed }, number, (one) => mine.signal.aborted || samples.add(one), mine.signal);
      if (!mine.signal.aborted) samples.end(seen);
    } catch (error) {
      if (mine.signal.aborted) return;
      samples.stop();
      say(sentence(error));
    }
  }

  function refuse() {
    turn.abort();
    samples.stop();
  }

  const from = next(context, { change: draw, refuse });
  const again = button("Draw others", () => {
    address.set({ seed: ++seed });
    void draw();
  }, { class: "main" });

  void from.ask();
  return {
    from: from.element,
    samples: h("section", { "aria-labelledby": "samples-title", class: "samples" },
      h("h2", { id: "samples-title" }, "What comes of it"),
      h("div", { class: "row" }, again),
      samples.element,
    ),
  };
}
