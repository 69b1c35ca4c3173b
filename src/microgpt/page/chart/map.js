/**
 * A chart of signed numbers in rows and columns: the further from 0, the stronger the colour.
 *
 * @typedef {object} Grid
 * @property {string} title
 * @property {string} row what a row is
 * @property {string[]} rows their names
 * @property {string[]} columns their names
 * @property {number[][]} values a list a row
 */

import { h, s } from "../dom.js";
import { figures } from "../numbers.js";
import { files } from "./files.js";

const SIDE = 20;
const LEFT = 30;
const TOP = 20;

/**
 * Draw a grid; its numbers are below it as a table, and shown where the pointer is.
 *
 * @param {Grid} grid
 */
export function map({ title, row, rows, columns, values }) {
  const most = Math.max(...values.flat().map(Math.abs), Number.MIN_VALUE);
  const [width, height] = [LEFT + SIDE * columns.length, TOP + SIDE * rows.length];
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title });
  columns.forEach((name, c) => svg.append(s("text", { x: LEFT + (c + 0.5) * SIDE, y: TOP - 6, "text-anchor": "middle" }, name)));
  rows.forEach((name, r) => {
    svg.append(s("text", { x: LEFT - 8, y: TOP + (r + 0.7) * SIDE, "text-anchor": "end" }, name));
    columns.forEach((column, c) => {
      const value = values[r][c];
      svg.append(
        s(
          "rect",
          {
            class: value < 0 ? "below" : "above", x: LEFT + c * SIDE, y: TOP + r * SIDE, width: SIDE - 1, height: SIDE - 1,
            "fill-opacity": (Math.abs(value) / most) ** 0.5,
          },
          s("title", {}, `${name}, ${column}: ${figures(value)}`),
        ),
      );
    });
  });
  const numbers = () => ({ head: [row, ...columns], rows: rows.map((name, r) => [name, ...values[r]]) });
  return h("figure", { class: "plot map" }, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, svg), files(title, svg, numbers));
}
