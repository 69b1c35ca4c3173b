/** The text to train on: the names that come along, a text that is pasted, or a file. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { counted } from "../numbers.js";
import { choice } from "../pieces.js";
import { Refused } from "../server.js";
import { byColumn, look, upload } from "../upload.js";
import { read } from "./settings.js";

/** A pasted text is kept in this tab, so that a reload finds it although the studio was started again. */
const KEPT = "microgpt pasted text";
const PAUSE = 400;

/**
 * @param {() => void} onChange called when there is another text
 * @param {(sentence: string) => void} say
 * @param {AbortSignal} signal
 */
export function text(onChange, say, signal) {
  const area = h("textarea", {
    rows: 4, "aria-label": "Your text, a document a line", placeholder: "Paste lines of text, a document a line; or drop a file here.",
    spellcheck: "false", oninput: () => later(),
  });
  const file = h("input", { type: "file", onchange: () => file.files?.[0] && void send(file.files[0]) });
  const stream = h("input", { type: "checkbox", onchange: () => (address.set({ stream: stream.checked ? 1 : null }), onChange()) });
  stream.checked = address.get("stream") !== "";
  const columns = h("span", {});
  const says = h("p", { class: "quiet" });
  const own = h(
    "div", { class: "own" }, area,
    h("div", { class: "row" }, h("label", { class: "field" }, h("span", {}, "or a file"), file), h("label", { class: "field" }, stream, h("span", {}, "one long text")), columns),
    says,
  );
  const which = choice({
    label: "Text", options: [["names", "32,000 surnames"], ["own", "your own"]], value: address.get("data", "names") === "names" ? "names" : "own",
    onChange: (value) => {
      own.hidden = value === "names";
      if (value === "own") return area.value ? later() : area.focus();
      address.set({ data: null, column: null, field: null });
      onChange();
    },
  });
  own.hidden = which.select.value === "names";
  let timer = 0;
  let sent = 0;

  /** Send what was pasted once the hand rests. */
  function later() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!area.value.trim()) return;
      const [id, kept] = pasted();
      if (kept === area.value && id === address.get("data")) return;
      void send(new File([area.value], "pasted.txt"), area.value);
    }, PAUSE);
  }

  /** @param {DragEvent} event */
  function dropped(event) {
    const first = event.dataTransfer?.files[0];
    if (!first) return;
    event.preventDefault();
    which.select.value = "own";
    own.hidden = false;
    void send(first);
  }

  /**
   * Send a text, and train on it.
   *
   * @param {File} one
   * @param {string} [typed] what is in the area
   */
  async function send(one, typed) {
    const mine = ++sent;
    says.textContent = `Reading ${one.name} …`;
    try {
      const id = await upload(one, signal);
      const seen = await look(id, stream.checked ? { stream: true } : {}, signal);
      if (mine !== sent) return;
      address.set({ data: id, column: null, field: null });
      if (typed) keep(id, typed);
      else area.value = "";
      describe(seen);
      say("");
      onChange();
    } catch (error) {
      if (signal.aborted || mine !== sent) return;
      if (!(error instanceof Refused)) throw error;
      says.textContent = "";
      say(error.message);
    }
  }

  /** @param {import("../upload.js").Look} seen */
  function describe(seen) {
    says.textContent = `${seen.name}: ${counted(seen.documents)} documents, ${counted(seen.characters)} characters. ${seen.notes.join(" ")}`;
    columns.replaceChildren();
    if (!seen.columns.length || !seen.column) return;
    const now = address.get("column") || address.get("field") || seen.column;
    const use = (/** @type {string} */ name) => address.set({ column: null, field: null, .../** @type {Record<string, string>} */ (byColumn(seen, name)) });
    use(now);
    columns.append(choice({ label: "Column", options: seen.columns, value: now, onChange: (name) => (use(name), onChange()) }).element);
  }

  /** Show the text that the address names. */
  async function restore() {
    const id = address.get("data", "names");
    if (id === "names") return;
    const [known, typed] = pasted();
    if (known === id) area.value = typed;
    try {
      describe(await look(id, read().read_as, signal));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refused)) throw error;
      if (known === id) await send(new File([typed], "pasted.txt"), typed);
      else say(error.message);
    }
  }

  const element = h("div", { ondragover: (event) => event.preventDefault(), ondrop: dropped }, h("div", { class: "row" }, which.element), own);
  return { element, restore };
}

/** The text that was pasted last in this tab, and its id. @returns {[string, string]} */
function pasted() {
  const kept = sessionStorage.getItem(KEPT) ?? "";
  const cut = kept.indexOf("\n");
  return [kept.slice(0, Math.max(cut, 0)), kept.slice(cut + 1)];
}

/** @param {string} id @param {string} typed */
function keep(id, typed) {
  try {
    sessionStorage.setItem(KEPT, `${id}\n${typed}`);
  } catch {
    sessionStorage.removeItem(KEPT); // too large for the browser: a reload needs the studio to have it still
  }
}
