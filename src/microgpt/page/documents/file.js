/** A file of yours: dropped anywhere on the view or chosen, looked at, scored, and shown as rows. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { counted } from "../numbers.js";
import { choice } from "../pieces.js";
import { byColumn, look, upload } from "../upload.js";
import * as asking from "./asking.js";
import { list } from "./list.js";
import { progress } from "./progress.js";

/**
 * @param {import("../frame.js").Context} context
 * @param {(on: asking.On) => void} onMeasure the parts of the loss on this file are wanted
 */
export function file(context, onMeasure) {
  const { about, say, signal } = context;
  const input = h("input", { type: "file", id: "file", onchange: () => input.files?.[0] && void send(input.files[0]) });
  const zone = h("div", { class: "drop", id: "drop" }, h("label", { for: "file" }, "Drop a file here, or choose one:"), input);
  const seen = h("div", { "aria-live": "polite" });
  const rows = h("div");
  const element = h("div", {}, zone, seen, rows);
  let mine = 0;

  /** @param {File} dropped */
  async function send(dropped) {
    await attempt(async () => {
      seen.replaceChildren(h("p", {}, `Sending ${dropped.name}…`));
      rows.replaceChildren();
      const id = await upload(dropped, signal);
      address.set({ file: id, column: null, on: null });
      return () => look(id, {}, signal);
    });
  }

  /**
   * Show a file, unless another was dropped meanwhile.
   *
   * @param {() => Promise<() => Promise<import("../upload.js").Look>>} begin
   */
  async function attempt(begin) {
    const own = ++mine;
    say("");
    try {
      const found = await (await begin())();
      if (own === mine && !signal.aborted) await show(found, own);
    } catch (error) {
      if (own !== mine || signal.aborted) return;
      seen.replaceChildren();
      rows.replaceChildren();
      say(sentence(error));
    }
  }

  /** @param {import("../upload.js").Look} found @param {number} own */
  async function show(found, own) {
    const readAs = found.column ? byColumn(found, found.column) : {};
    /** @type {asking.On} */
    const on = { run: about.run, file: found.id, read_as: readAs };
    const others = [found.blank && `${counted(found.blank)} blank`, found.broken && `${counted(found.broken)} that cannot be read`].filter(Boolean);
    const columns = found.columns.length > 1 && choice({
      label: found.form === "csv" ? "Column" : "Field", options: found.columns, value: found.column ?? "",
      onChange: (column) => {
        address.set({ column });
        void attempt(async () => () => look(found.id, byColumn(found, column), signal));
      },
    }).element;
    seen.replaceChildren(
      h(
        "div", { class: "row" },
        h("strong", {}, found.name),
        h("span", {}, `${counted(found.documents)} documents, ${counted(found.characters)} characters${others.length ? `; ${others.join(" rows and ")} rows left out` : ""}.`),
        columns,
        h("a", { href: address.changed({ part: "ladder", on: "file" }), onclick: (/** @type {MouseEvent} */ event) => (event.preventDefault(), onMeasure(on)) }, "Measure everything on this file"),
      ),
      found.notes.length ? h("details", {}, h("summary", {}, `${found.notes.length} notes on the file`), h("ul", {}, ...found.notes.map((note) => h("li", {}, note)))) : "",
    );
    const done = progress("Scoring", found.documents);
    rows.replaceChildren(done.element);
    await asking.score(on, done.set, signal);
    if (own === mine && !signal.aborted) rows.replaceChildren(list({ context, on, caption: `The documents of ${found.name}` }));
  }

  const id = address.get("file");
  if (id) {
    const column = address.get("column");
    void attempt(async () => async () => {
      const found = await look(id, {}, signal);
      return column && column !== found.column ? look(id, byColumn(found, column), signal) : found;
    });
  } else {
    seen.append(h("p", { class: "quiet" }, "Plain text, a document a line; .csv or .tsv; .jsonl or .json; also .gz; up to 500 MB. It stays on this machine, and is deleted when the studio ends."));
  }
  return { element, send, zone };
}
