/** New texts: how the distribution of the next token changes under the sliders, and what is drawn from it. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { sampling } from "../sample/drawing.js";
import { keeper } from "../sample/kept.js";

/** How many samples. */
const NUMBER = 12;

/** @type {import("../frame.js").View} */
export const view = {
  name: "sample",
  title: "Sample",
  line: "The model draws a text token by token. The sliders reshape what it draws from: dashed as the model has it, solid as it is drawn.",
  open(context) {
    const keeping = keeper(context.about.run, context.say);
    const open = (/** @type {string} */ text) => address.go({ view: "loss", text, at: 0 });
    const { from, samples } = sampling(context, NUMBER, { keep: keeping.add, open });
    samples.append(keeping.element);
    return h("div", { class: "columns" }, from, samples);
  },
};
