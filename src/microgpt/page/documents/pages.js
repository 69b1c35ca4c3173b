/**
 * A table of which only the rows in sight are in the page: of any number of rows, a page at a time. The wheel, the keys
 * and a slider move it.
 *
 * @template R
 * @typedef {object} Paged
 * @property {string} caption
 * @property {{name: string, sort?: string, class?: string, cell: (row: R) => import("../dom.js").Child}[]} columns
 * @property {number} height how many rows are in sight
 * @property {(first: number, count: number) => Promise<{total: number, rows: R[]}>} read
 * @property {(sort: string) => void} onSort a heading was pressed
 * @property {(error: unknown) => void} onError
 */

import { h } from "../dom.js";
import { counted } from "../numbers.js";
import { button, slider } from "../pieces.js";

/**
 * @template R
 * @param {Paged<R>} given
 */
export function pages({ caption, columns, height, read, onSort, onError }) {
  let first = 0;
  let total = 0;
  let asked = 0;
  const where = () => (total ? `${counted(first + 1)} to ${counted(Math.min(first + height, total))} of ${counted(total)}` : "none");
  const body = h("tbody");
  const heads = columns.map((column) => h("th", { scope: "col", class: column.class }, column.sort ? button(column.name, () => onSort(String(column.sort)), { class: "sort" }) : column.name));
  const table = h("table", { class: "rows" }, h("caption", {}, caption), h("thead", {}, h("tr", {}, ...heads)), body);
  const box = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, table);
  const place = slider({ label: "Place", min: 0, max: 0, value: 0, shown: () => where(), onInput: (value) => void go(value) });
  const buttons = [
    button("First", () => void go(0)),
    button("Previous", () => void go(first - height)),
    button("Next", () => void go(first + height)),
    button("Last", () => void go(total)),
  ];
  const pager = h("div", { class: "row pager" }, ...buttons, place.element);

  /** @param {number} to the first row in sight */
  async function go(to) {
    const mine = ++asked;
    try {
      const wanted = Math.min(Math.max(to, 0), Math.max(total - height, 0));
      const found = await read(wanted, height);
      if (mine !== asked) return;
      first = wanted;
      show(found.total, found.rows);
    } catch (error) {
      if (mine === asked) onError(error);
    }
  }

  /** @param {number} all @param {R[]} some */
  function show(all, some) {
    total = all;
    const input = place.element.querySelector("input");
    if (input) input.max = String(Math.max(total - height, 0));
    place.set(first);
    pager.hidden = total <= height;
    buttons.forEach((one, i) => (one.disabled = i < 2 ? first === 0 : first + height >= total));
    table.setAttribute("aria-rowcount", String(total + 1));
    const made = some.map((row, i) => {
      const cells = columns.map((column, k) => h(k ? "td" : "th", { scope: k ? null : "row", class: column.class }, column.cell(row)));
      return h("tr", { "aria-rowindex": first + i + 2 }, ...cells);
    });
    body.replaceChildren(...(made.length ? made : [h("tr", {}, h("td", { colspan: columns.length, class: "left" }, "None."))]));
  }

  box.addEventListener(
    "wheel",
    (event) => {
      const to = first + Math.sign(event.deltaY) * 3;
      if (event.ctrlKey || !event.deltaY || to < -2 || (event.deltaY > 0 && first + height >= total) || (event.deltaY < 0 && first === 0)) return;
      event.preventDefault();
      void go(to);
    },
    { passive: false },
  );
  box.addEventListener("keydown", (event) => {
    if (event.target !== box) return;
    const to = { ArrowDown: first + 1, ArrowUp: first - 1, PageDown: first + height, PageUp: first - height, Home: 0, End: total }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    void go(to);
  });

  return {
    element: h("div", { class: "pages" }, box, pager),
    /** Read again, from the top. */
    restart: () => (total ||= 1, go(0)),
    /** @param {string} sort @param {boolean} descending which heading says that it is sorted by */
    sorted(sort, descending) {
      columns.forEach((column, i) => {
        if (column.sort === sort) heads[i].setAttribute("aria-sort", descending ? "descending" : "ascending");
        else heads[i].removeAttribute("aria-sort");
      });
    },
  };
}
