/** The view of the loss: a text, character by character, and the curve of one prediction. */

import { h } from "../dom.js";
import { curve } from "./curve.js";
import { text } from "./text.js";

/** @type {import("../frame.js").View} */
export const view = {
  name: "loss",
  title: "Loss",
  line: "Type a text: each character costs -log p, where p is the probability that the model gave it.",
  open: (context) => h("div", { class: "columns" }, text(context), curve(context)),
};
