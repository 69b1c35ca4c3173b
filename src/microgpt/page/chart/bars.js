/**
 * A chart of bars: a histogram.
 *
 * @typedef {[number, number, number]} Bin from, to, how many
 *
 * @typedef {object} Bars
 * @property {string} title
 * @property {string} x the name of the axis
 * @property {string} y
 * @property {Bin[]} bins
 * @property {{name: string, x: number}[]} [marks] vertical lines
 */

import { h, s } from "../dom.js";
import { axes, BOTTOM, drawing, HEIGHT, TOP } from "./box.js";
import { files } from "./files.js";

/**
 * Draw a histogram.
 *
 * @param {Bars} first
 */
export function bars(first) {
  let chart = first;
  const { svg, width } = drawing(chart.title, draw);

  function draw() {
    const { bins, marks = [] } = chart;
    // Room for the name of the axis.
    const high = 1.15 * Math.max(...bins.map(([, , n]) => n), 0) || 1;
    const [from, to] = bins.length ? [bins[0][0], bins[bins.length - 1][1]] : [0, 1];
    const { x, y } = axes(svg, width(), 16, { low: from, high: to, name: chart.x }, { low: 0, high, name: chart.y });
    for (const [a, b, n] of bins) {
      svg.append(s("rect", { class: "fill", x: x(a), y: y(n), width: Math.max(x(b) - x(a) - 1, 0.5), height: y(0) - y(n) }));
    }
    for (const mark of marks) {
      svg.append(
        s("line", { class: "level", x1: x(mark.x), x2: x(mark.x), y1: TOP, y2: HEIGHT - BOTTOM }),
        s("text", { class: "level", x: x(mark.x) + 3, y: TOP + 30 }, mark.name),
      );
    }
  }

  draw();
  const numbers = () => ({ head: ["from", "to", chart.y], rows: chart.bins });
  return {
    element: h("figure", { class: "plot" }, svg, files(chart.title, svg, numbers)),
    /** @param {Bars} next what to show from now on */
    draw(next) {
      chart = next;
      draw();
    },
  };
}
