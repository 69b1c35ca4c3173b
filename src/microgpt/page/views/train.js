/** The view of training: a text and settings at the left; the curve, which is there again when they change, at the right. */

import { h } from "../dom.js";
import { Refused } from "../server.js";
import { controls } from "../train/controls.js";
import { presets } from "../train/drafts.js";
import { settings } from "../train/settings.js";
import { text } from "../train/text.js";
import { training } from "../train/training.js";

/** @type {import("../frame.js").View} */
export const view = {
  name: "train",
  title: "Train",
  line: "Move a slider: a small model is trained anew, from its first step to its last, before you have let go.",
  needsRun: false,
  open({ say, signal }) {
    const content = h("div", { class: "train" });
    void fill(content, say, signal);
    return content;
  },
};

/**
 * @param {HTMLElement} content
 * @param {(sentence: string) => void} say
 * @param {AbortSignal} signal
 */
async function fill(content, say, signal) {
  try {
    const known = await presets();
    if (signal.aborted) return;
    const chosen = settings(known);
    const shown = training(chosen, say, signal);
    const from = text(() => shown.retrain({ isOther: true }), say, signal);
    content.append(
      h(
        "section", { class: "setup", "aria-label": "What to train" },
        from.element, controls(chosen, known, () => shown.retrain({})), shown.buttons,
      ),
      shown.chart, shown.element,
    );
    await from.restore();
    if (!signal.aborted) shown.retrain({});
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Refused)) throw error;
    say(error.message);
  }
}
