/** The view of the loss: a text, or two, character by character; and how logits become a loss. */

import { text } from "./text.js";

/** @type {import("../frame.js").View} */
export const view = {
  name: "loss",
  title: "Loss",
  line: "Type a text: each character costs -log p, where p is the probability that the model gave it.",
  open: text,
};
