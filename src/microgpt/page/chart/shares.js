/**
 * A chart of shares: for each name a faint bar before a change, a strong one after it.
 *
 * @typedef {{name: string, before: number, after: number}} Share shares from 0 to 1; after 0: cut off
 */

import { h, s } from "../dom.js";
import { percent } from "../numbers.js";
import { files } from "./files.js";

const LINE = 22;
const LEFT = 52;
const RIGHT = 60;

/**
 * Draw shares; `draw` may be called on every frame.
 *
 * @param {string} title
 * @param {string} before what the faint bars are
 * @param {string} after
 */
export function shares(title, before, after) {
  const svg = s("svg", { role: "img", "aria-label": title });
  /** @type {Share[]} */
  let rows = [];

  function draw() {
    const width = svg.clientWidth || Math.min(560, document.documentElement.clientWidth - 24);
    svg.setAttribute("viewBox", `0 0 ${width} ${Math.max(rows.length, 1) * LINE}`);
    const most = Math.max(...rows.flatMap((row) => [row.before, row.after]), 0.01);
    const long = (/** @type {number} */ share) => (share / most) * (width - LEFT - RIGHT);
    svg.replaceChildren(
      ...rows.flatMap((row, i) => [
        s("rect", { class: "before", x: LEFT, y: i * LINE + 2, width: long(row.before), height: LINE - 4 }),
        s("rect", { class: "fill", x: LEFT, y: i * LINE + 5, width: long(row.after), height: LINE - 10 }),
        s("text", { class: row.after ? "three" : "cut", x: LEFT - 8, y: i * LINE + 16, "text-anchor": "end" }, row.name),
        s("text", { x: width - RIGHT + 8, y: i * LINE + 16 }, row.after ? percent(row.after) : "cut"),
      ]),
    );
  }

  new ResizeObserver(draw).observe(svg);
  const numbers = () => ({ head: ["token", before, after], rows: rows.map((row) => [row.name, row.before, row.after]) });
  return {
    element: h("figure", { class: "plot shares" }, svg, files(title, svg, numbers)),
    /** @param {Share[]} now */
    draw(now) {
      rows = now;
      draw();
    },
  };
}
