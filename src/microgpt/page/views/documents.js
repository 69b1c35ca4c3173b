/** The view of documents: how good the model is on them, where its loss comes from, and each of them. */

import * as address from "../address.js";
import { h } from "../dom.js";
import * as asking from "../documents/asking.js";
import { dropping } from "../documents/dropping.js";
import { file } from "../documents/file.js";
import { honesty } from "../documents/honesty.js";
import { ladder } from "../documents/ladder.js";
import { list } from "../documents/list.js";
import { parts } from "../documents/parts.js";
import { progress } from "../documents/progress.js";
import { sentence } from "../mistake.js";
import { byColumn, look } from "../upload.js";

/** The parts of the view, by their names in the address. */
const PARTS = /** @type {const} */ ({
  ladder: "How good", position: "By position", character: "By character", length: "By length", calibration: "Calibration", documents: "Documents", file: "A file of yours",
});

/** @type {import("../frame.js").View} */
export const view = {
  name: "documents",
  title: "Documents",
  line: "Measured on documents that the model has not learnt from: how good it is, where its loss comes from, which texts surprise it.",
  open,
};

/**
 * @param {import("../frame.js").Context} context
 * @returns {HTMLElement}
 */
function open(context) {
  const { about, say, signal } = context;
  const content = h("div", { id: "part" });
  const source = h("p", { class: "quiet", id: "source" });
  const links = Object.entries(PARTS).map(([name, title]) => h("a", { href: address.changed({ part: name, slice: null }), onclick: to(name) }, title));
  /** @type {Promise<asking.On>} */
  let on = chosen();
  /** @type {Promise<asking.Measured> | null} */
  let measured = null;
  /** The part for files, while it is shown. @type {ReturnType<typeof file> | null} */
  let filing = null;
  let shown = 0;

  /** The documents that the address names. @returns {Promise<asking.On>} */
  async function chosen() {
    const id = address.get("on") === "file" && address.get("file");
    if (!id) return { run: about.run };
    const found = await look(id, {}, signal);
    const column = address.get("column") || found.column;
    return { run: about.run, file: id, read_as: column ? byColumn(found, column) : {} };
  }

  /** @param {string} name of a part */
  function to(name) {
    return (/** @type {MouseEvent} */ event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab
      event.preventDefault();
      address.set({ part: name, slice: null });
      void show();
    };
  }

  /** Measure on other documents from now on. @param {asking.On | null} other */
  function measure(other) {
    address.set({ on: other ? "file" : null, part: "ladder", slice: null });
    on = other ? Promise.resolve(other) : chosen();
    measured = null;
    void show();
  }

  async function show() {
    const mine = ++shown;
    const asked = address.get("part");
    const part = /** @type {keyof typeof PARTS} */ (asked in PARTS ? asked : "ladder");
    links.forEach((link, i) => {
      if (Object.keys(PARTS)[i] === part) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    say("");
    source.replaceChildren();
    if (part === "file") {
      filing = file(context, measure);
      content.replaceChildren(filing.element);
      return;
    }
    filing = null;
    try {
      const which = await on;
      const made = part === "documents" ? await scored(which) : await parted(part, which);
      if (mine !== shown || signal.aborted) return;
      if (which.file) source.replaceChildren("Of the file that was dropped. ", own());
      content.replaceChildren(made);
    } catch (error) {
      if (mine !== shown || signal.aborted) return;
      measured = null;
      if (error instanceof asking.Missing) content.replaceChildren(missing(sentence(error)));
      else say(sentence(error));
    }
  }

  /** @param {asking.On} which */
  async function scored(which) {
    const done = progress("Scoring");
    content.replaceChildren(done.element);
    await asking.score(which, done.set, signal);
    return list({ context, on: which, caption: "The documents, and what each costs" });
  }

  /** @param {"ladder" | "position" | "character" | "length" | "calibration"} part @param {asking.On} which */
  async function parted(part, which) {
    const done = progress("Measuring");
    if (!measured) content.replaceChildren(done.element);
    const found = await (measured ??= asking.measure(which, done.set, signal));
    if (part === "ladder") return ladder(found, about.unit);
    const beside = h("div", {}, h("p", { class: "quiet" }, "Nothing is chosen."));
    let other = new AbortController();
    /** @param {asking.Slice} slice @param {string} words */
    async function onChoose(slice, words) {
      other.abort();
      const mine = (other = new AbortController()).signal;
      const ended = AbortSignal.any([mine, signal]);
      const found = progress("Looking");
      beside.replaceChildren(found.element);
      try {
        await asking.score(which, found.set, ended);
        await asking.cut(which, slice, found.set, ended);
        if (!ended.aborted) beside.replaceChildren(list({ context, on: which, caption: words, slice, height: 8 }));
      } catch (error) {
        if (!ended.aborted) say(sentence(error));
      }
    }
    const given = { found, unit: about.unit, onChoose };
    return h("div", { class: "columns" }, part === "calibration" ? honesty(given) : parts({ by: part, ...given }), beside);
  }

  const own = () => h("a", { href: address.changed({ on: null }), onclick: (/** @type {MouseEvent} */ event) => (event.preventDefault(), measure(null)) }, "Back to the run's own documents");

  /** @param {string} why */
  const missing = (why) =>
    h("div", {}, h("p", {}, why), h("p", {}, "Or ", h("a", { href: address.changed({ part: "file" }), onclick: to("file") }, "drop a file of documents"), ": the model is then measured on these."));

  dropping({
    signal,
    onOver: (isOver) => filing?.zone.classList.toggle("over", isOver),
    onOther: () => say("That was no file. Drop a file of text, one document a line, or a table."),
    onFile(dropped) {
      if (!filing) {
        address.set({ part: "file", slice: null, file: null });
        void show();
      }
      void filing?.send(dropped);
    },
  });
  void show();
  return h("div", { class: "documents" }, h("nav", { class: "parts", "aria-label": "Parts of this view" }, ...links), source, content);
}
