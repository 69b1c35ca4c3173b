/**
 * A chart of letters: each stands where its two numbers are.
 *
 * @typedef {{name: string, x: number, y: number, kind?: string}} Letter kind: "one" stands out
 *
 * @typedef {object} Letters
 * @property {string} title
 * @property {string} x the name of the axis
 * @property {string} y
 * @property {Letter[]} letters
 */

import { h, s } from "../dom.js";
import { axes, drawing } from "./box.js";
import { files } from "./files.js";

const TALL = 380;

/**
 * Draw letters.
 *
 * @param {Letters} chart
 */
export function marks(chart) {
  const { svg, width } = drawing(chart.title, draw);

  function draw() {
    const { letters } = chart;
    const axis = (/** @type {number[]} */ values, /** @type {string} */ name) => {
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const margin = 0.06 * (high - low) || 1;
      return { low: low - margin, high: high + margin, name };
    };
    const { x, y } = axes(svg, width(), 16, axis(letters.map((one) => one.x), chart.x), axis(letters.map((one) => one.y), chart.y), TALL);
    for (const one of letters) {
      svg.append(s("text", { class: `letter ${one.kind ?? ""}`, x: x(one.x), y: y(one.y), "text-anchor": "middle", "dominant-baseline": "middle" }, one.name));
    }
  }

  draw();
  const numbers = () => ({ head: ["token", chart.x, chart.y], rows: chart.letters.map(({ name, x, y }) => [name, x, y]) });
  return {
    element: h("figure", { class: "plot" }, svg, files(chart.title, svg, numbers)),
    /** @param {Letter[]} letters what to show from now on */
    draw(letters) {
      chart = { ...chart, letters };
      draw();
    },
  };
}
