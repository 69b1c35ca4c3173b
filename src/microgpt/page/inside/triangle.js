/** The attention of one head as a triangle: a row for each position that is read, a column for each that it looks at. */

import { s } from "../dom.js";

const SHADES = 10;

/**
 * Return the cells of a triangle as one path for each shade, over one for all cells.
 *
 * @param {number[][]} shares
 * @param {number} cell the width of a cell
 * @param {number} [left] where the first column begins
 * @param {number} [top]
 */
export function cells(shares, cell, left = 0, top = 0) {
  const paths = Array.from({ length: SHADES + 1 }, () => "");
  shares.forEach((row, t) =>
    row.forEach((share, s) => {
      const square = `M${left + s * cell} ${top + t * cell}h${cell}v${cell}h${-cell}z`;
      paths[0] += square;
      const shade = Math.round(share * SHADES);
      if (shade) paths[shade] += square;
    }),
  );
  return paths.map((d, shade) => d && s("path", { d, class: shade ? "share" : "none", opacity: shade ? shade / SHADES : 1 }));
}

/**
 * Make a small triangle, to choose a head by.
 *
 * @param {number[][]} shares
 */
export function small(shares) {
  const size = shares.length;
  return s("svg", { viewBox: `0 0 ${size} ${size}`, "aria-hidden": "true", "shape-rendering": "crispEdges" }, ...cells(shares, 1));
}
