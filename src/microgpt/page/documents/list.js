/** Documents with their scores: to sort, to filter, to flag, to open. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { counted, figures } from "../numbers.js";
import { button, choice, field } from "../pieces.js";
import * as asking from "./asking.js";
import { one } from "./one.js";
import { pages } from "./pages.js";

/** Shares of good texts to flag. */
const RATES = ["0.1", "0.05", "0.01", "0.001"];

const SORTS = ["row", "loss", "percentile", "unknown"];

/** How long to wait for the next letter before a filter is applied, in milliseconds. */
const PAUSE = 150;

/**
 * Make a list of documents, and a place for the one that is chosen.
 *
 * @param {object} given
 * @param {import("../frame.js").Context} given.context
 * @param {asking.On} given.on documents that have been scored
 * @param {string} given.caption
 * @param {asking.Slice} [given.slice] only documents that have such positions
 * @param {number} [given.height] how many rows are in sight
 */
export function list({ context, on, caption, slice, height = 14 }) {
  const { say, signal } = context;
  /** @type {asking.Query} */
  const query = slice ? { sort: slice.by === "length" ? "loss" : "slice", descending: true, slice } : remembered();
  const isPart = slice && slice.by !== "length"; // a length has whole documents
  const chosen = one(context, on);
  const says = h("p", { class: "quiet", "aria-live": "polite" });
  const file = h("a", { download: "rows.csv" }, "Download all rows (CSV)");

  /** @type {{name: string, sort?: asking.Sort, class?: string, cell: (row: asking.Row) => import("../dom.js").Child}[]} */
  const columns = [
    { name: "document", class: "left text", cell: (row) => h("span", {}, button(row.text || "(empty)", (event) => void chosen.open(row, /** @type {Element} */ (event.currentTarget)), { class: "plain" }), row.flagged ? h("b", { class: "flag" }, " flagged") : "") },
    ...(isPart ? [{ name: "nats there", sort: /** @type {const} */ ("slice"), cell: (/** @type {asking.Row} */ row) => (row.slice === null ? "" : figures(row.slice)) }] : []),
    { name: "nats each", sort: "loss", cell: (row) => figures(row.loss) },
    { name: "rarer than", sort: "percentile", cell: (row) => (row.percentile === null ? "–" : `${row.percentile.toFixed(1)} %`) },
    ...(slice ? [] : [{ name: "unknown", sort: /** @type {const} */ ("unknown"), cell: (/** @type {asking.Row} */ row) => row.unknown || "" }]),
    { name: on.file ? "row" : "number", sort: "row", cell: (row) => counted(row.row) },
  ];
  const table = pages({ caption, columns, height, read, onSort, onError });

  /** @param {number} first @param {number} count */
  async function read(first, count) {
    const found = await asking.rows(on, query, first, count, signal);
    say("");
    const flagged = found.flagged === null ? "" : ` ${counted(found.flagged)} flagged.`;
    says.textContent = `${counted(found.total)} of ${counted(found.documents)} documents.${flagged} ${found.promise || (found.percentiles ? "" : found.warning)}`;
    return found;
  }

  /** @param {string} name */
  function onSort(name) {
    const sort = /** @type {asking.Sort} */ (name);
    query.descending = query.sort === sort ? !query.descending : sort !== "row";
    query.sort = sort;
    restart();
  }

  /** @param {unknown} error */
  function onError(error) {
    if (!signal.aborted) say(sentence(error));
  }

  function restart() {
    if (!slice) remember(query);
    table.sorted(query.sort, query.descending);
    file.setAttribute("href", asking.csv(on, query.rate ?? null));
    void table.restart();
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(restart, PAUSE);
  };
  signal.addEventListener("abort", () => clearTimeout(waiting));

  const text = field({ label: "Contains", value: query.text ?? "", properties: { type: "search", maxlength: 200 }, onInput: (value) => ((query.text = value), soon()) });
  const least = field({
    label: "At least", value: String(query.least ?? ""), properties: { class: "number", inputmode: "decimal", placeholder: "nats" },
    onInput: (value) => {
      const number = value.trim() === "" ? null : Number(value);
      least.input.setAttribute("aria-invalid", String(Number.isNaN(number)));
      if (Number.isNaN(number)) return;
      query.least = number;
      soon();
    },
  });
  const only = h("input", { type: "checkbox", disabled: !query.rate, checked: query.flagged, onchange: () => ((query.flagged = only.checked), restart()) });
  const rate = choice({
    label: "Flag", value: String(query.rate ?? ""),
    options: [["", "nothing"], ...RATES.map((share) => /** @type {[string, string]} */ ([share, `as rare as ${100 * Number(share)} % of good ones`]))],
    onChange: (value) => {
      query.rate = value === "" ? null : Number(value);
      only.disabled = value === "";
      if (only.disabled) query.flagged = only.checked = false;
      restart();
    },
  });
  const controls = slice
    ? [text.element]
    : [text.element, least.element, rate.element, h("label", { class: "field" }, only, h("span", {}, "flagged only")), file];
  restart();
  return h("div", { class: "list" }, h("div", { class: "row" }, ...controls), says, h("div", { class: "columns" }, table.element, chosen.element));
}

/** The query that the address names. @returns {asking.Query} */
function remembered() {
  const sort = /** @type {asking.Sort} */ (SORTS.find((one) => one === address.get("sort")) ?? "loss");
  const rate = RATES.find((share) => share === address.get("rate"));
  const least = Number.parseFloat(address.get("least"));
  return {
    sort, descending: address.get("order") !== "rising", text: address.get("has"), least: Number.isNaN(least) ? null : least,
    rate: rate ? Number(rate) : null, flagged: Boolean(rate) && address.get("only") === "flagged",
  };
}

/** @param {asking.Query} query */
const remember = ({ sort, descending, text, least, rate, flagged }) =>
  address.set({
    sort: sort === "loss" ? null : sort, order: descending ? null : "rising", has: text || null, least: least ?? null, rate: rate ?? null,
    only: flagged ? "flagged" : null,
  });
