/** The box of a chart: its size, its axes, and its drawing anew when the page becomes wider or narrower. */

import { s } from "../dom.js";
import { powers, scale, ticks } from "./scale.js";

export const HEIGHT = 240;
export const TOP = 12;
export const BOTTOM = 40;
const LEFT = 52;
const WIDEST = 560;

/** @typedef {{low: number, high: number, log?: boolean, whole?: boolean, name: string}} Axis */

/**
 * Make the drawing of a chart.
 *
 * @param {string} title
 * @param {() => void} draw called when it is shown in another width
 */
export function drawing(title, draw) {
  const svg = s("svg", { role: "img", "aria-label": title });
  let width = 0;
  new ResizeObserver(() => {
    if (svg.clientWidth && Math.abs(svg.clientWidth - width) > 1) draw();
  }).observe(svg);
  return {
    svg,
    /** Return how wide to draw: as wide as it is shown, so that letters keep their size. */
    width() {
      width = svg.clientWidth || Math.min(WIDEST, document.documentElement.clientWidth - 24);
      return width;
    },
  };
}

/**
 * Draw the axes; return where values are drawn.
 *
 * @param {SVGSVGElement} svg emptied
 * @param {number} width
 * @param {number} right the margin for labels
 * @param {Axis} across
 * @param {Axis} up
 * @param {number} [height]
 */
export function axes(svg, width, right, across, up, height = HEIGHT) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const x = scale(across.low, across.high, LEFT, width - right, across.log);
  const y = scale(up.low, up.high, height - BOTTOM, TOP, up.log);
  const round = (/** @type {Axis} */ axis, /** @type {number} */ most) =>
    axis.log ? powers(axis.low, axis.high, most) : ticks(axis.low, axis.high, most).filter((value) => !axis.whole || Number.isInteger(value));
  const shown = (/** @type {number} */ value) => (Math.abs(value) >= 1e4 ? value.toLocaleString("en") : String(value));
  svg.replaceChildren(
    ...round(across, width < 400 ? 3 : 6).flatMap((value) => [
      s("line", { class: "axis", x1: x(value), x2: x(value), y1: TOP, y2: height - BOTTOM }),
      s("text", { x: x(value), y: height - BOTTOM + 16, "text-anchor": "middle" }, shown(value)),
    ]),
    ...round(up, 5).flatMap((value) => [
      s("line", { class: "axis", x1: LEFT, x2: width - right, y1: y(value), y2: y(value) }),
      s("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, shown(value)),
    ]),
    s("text", { x: (LEFT + width - right) / 2, y: height - 6, "text-anchor": "middle" }, across.name),
    s("text", { x: LEFT + 4, y: TOP, "dominant-baseline": "hanging", class: "name" }, up.name),
  );
  return { x, y, left: LEFT, right: width - right };
}
