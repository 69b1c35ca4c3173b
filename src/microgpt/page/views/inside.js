/** The view of what is inside a model: attention, residual stream, embeddings, and the graph of a loss. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { inside } from "../inside/ask.js";
import { attention } from "../inside/attention.js";
import { embeddings } from "../inside/embeddings.js";
import { graph } from "../inside/graph.js";
import { stream } from "../inside/stream.js";
import { sentence } from "../mistake.js";
import { button, field } from "../pieces.js";

const PARTS = [
  { name: "attention", title: "Attention", open: attention },
  { name: "stream", title: "Residual stream", open: stream },
  { name: "embeddings", title: "Embeddings", open: embeddings },
  { name: "graph", title: "Computation graph", open: graph },
];

/** How long to wait for more letters before a graph is made, in milliseconds. */
const PAUSE = 400;

/** @type {import("../frame.js").View} */
export const view = {
  name: "inside",
  title: "Inside",
  line: "Look at the numbers inside the model as it reads a text: where its heads look, what its layers add, and how one loss was computed.",
  open({ about, say, signal }) {
    const body = h("div", { id: "part" });
    const note = about.mixed && h("p", { class: "quiet" }, "This is inside the GPT alone: the counts that it is mixed with have no inside.");
    const buttons = PARTS.map((part) => button(part.title, () => open(part.name)));
    const { element, input } = field({
      label: "Text", value: address.get("text", "emma"), properties: { class: "text", id: "inside-text", maxlength: 2000 },
      onInput: (text) => {
        address.set({ text, row: null, column: null, value: null, position: null });
        clearTimeout(timer);
        timer = setTimeout(show, chosen().name === "graph" ? PAUSE : 0);
      },
    });
    let timer = 0;
    let asking = new AbortController();
    signal.addEventListener("abort", () => asking.abort());

    const chosen = () => PARTS.find((part) => part.name === address.get("part")) ?? PARTS[0];

    /** @param {string} name */
    function open(name) {
      address.set({ part: name });
      void show();
    }

    async function show() {
      asking.abort();
      const mine = (asking = new AbortController());
      const part = chosen();
      buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(PARTS[i] === part)));
      const slow = setTimeout(() => body.replaceChildren(h("p", { class: "quiet" }, "Computing…")), 300);
      try {
        const found = await part.open({ inside: inside(about.run), text: input.value, say, signal: mine.signal });
        if (mine.signal.aborted) return;
        say("");
        body.replaceChildren(found);
      } catch (error) {
        if (mine.signal.aborted) return;
        body.replaceChildren();
        say(sentence(error));
      } finally {
        clearTimeout(slow);
      }
    }

    void show();
    return h("div", {}, h("div", { class: "row" }, element, h("div", { class: "parts", role: "group", "aria-label": "Parts" }, ...buttons)), note, body);
  },
};
