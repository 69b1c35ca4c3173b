/** What stands below a chart: its title, its numbers as a table, its SVG and CSV files. */

import { h } from "../dom.js";
import { figures } from "../numbers.js";

/** @typedef {{head: string[], rows: (string | number)[][]}} Numbers */

/** The most rows of a table; of more, every second is shown, or every third, and so on. */
const ROWS = 24;

/**
 * @param {string} title
 * @param {SVGSVGElement} svg
 * @param {() => Numbers} numbers asked for when they are needed
 * @returns {HTMLElement}
 */
export function files(title, svg, numbers) {
  const table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Table: ${title}` });
  const details = h("details", {}, h("summary", {}, "Table"), table);
  details.addEventListener("toggle", () => {
    if (!details.open) return;
    const { head, rows } = numbers();
    const step = Math.ceil(rows.length / ROWS);
    const shown = rows.filter((_, i) => i % step === 0);
    const cell = (/** @type {string | number} */ x) => h("td", {}, typeof x === "number" ? figures(x) : x);
    table.replaceChildren(
      h(
        "table", {},
        h("caption", {}, title),
        h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, ...shown.map((row) => h("tr", {}, ...row.map(cell)))),
      ),
    );
  });
  return h(
    "figcaption", { class: "tools" },
    h("span", {}, title),
    details,
    h("button", { type: "button", onclick: () => save("chart.svg", "image/svg+xml", standalone(svg)) }, "SVG"),
    h("button", { type: "button", onclick: () => save("chart.csv", "text/csv", csv(numbers())) }, "CSV"),
  );
}

/**
 * Return rows as a CSV file.
 *
 * @param {Numbers} numbers
 */
export function csv({ head, rows }) {
  const cell = (/** @type {string | number} */ x) => (typeof x === "number" ? String(x) : `"${x.replaceAll('"', '""')}"`);
  return [head, ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
}

/**
 * Let the browser save a file.
 *
 * @param {string} name
 * @param {string} type
 * @param {string} content
 */
export function save(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}

/**
 * The chart as a file of its own: what the style sheet says is written into it.
 *
 * @param {SVGSVGElement} svg
 */
function standalone(svg) {
  const copy = /** @type {SVGSVGElement} */ (svg.cloneNode(true));
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const [from, to] = [svg, copy].map((root) => [...root.querySelectorAll("*")]);
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font", "text-anchor"]) {
      to[i].setAttribute(name, style.getPropertyValue(name));
    }
  });
  return new XMLSerializer().serializeToString(copy);
}
