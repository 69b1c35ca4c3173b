/**
 * A chart of curves: level lines, marks, and a point to drag.
 *
 * @typedef {{name: string, kind: string, points: [number, number][]}} Curve kind: how it is drawn: "one", "two", "three" or "ghost"; without a name it has no label
 * @typedef {{name: string, x: number}} Mark a vertical line
 * @typedef {{name: string, y: number}} Level a horizontal line
 *
 * @typedef {object} Chart
 * @property {string} title
 * @property {string} x the name of the axis
 * @property {string} y
 * @property {Curve[]} curves
 * @property {boolean} [log] whether the x axis is logarithmic
 * @property {boolean} [whole] whether only whole numbers are named on the x axis
 * @property {boolean} [logUp] whether the y axis is, which needs `low` and `high`
 * @property {number} [first] the x axis from here; else from the first point
 * @property {number} [last]
 * @property {number} [low] the y axis from here; else from the lowest point
 * @property {number} [high]
 * @property {Mark[]} [marks]
 * @property {Level[]} [levels]
 */

import { h, s } from "../dom.js";
import { axes, BOTTOM, drawing, HEIGHT, TOP } from "./box.js";
import { files } from "./files.js";
import { apart } from "./scale.js";

const LINE = 17;

/**
 * Draw a chart.
 *
 * @param {Chart} first
 * @param {(x: number) => void} [onDrag] called with the place to which a pointer moves the point
 */
export function plot(first, onDrag) {
  let chart = first;
  /** @type {{x: number, ys: number[]} | null} */
  let at = null;
  const { svg, width } = drawing(chart.title, draw);
  /** @type {ReturnType<typeof axes>} */
  let place;

  function draw() {
    const { curves, marks = [], levels = [] } = chart;
    const points = curves.flatMap((curve) => curve.points);
    const ys = [...points.map(([, y]) => y), ...levels.map((level) => level.y)].filter(Number.isFinite);
    const [from, to] = range(chart);
    const margin = 0.04 * (most(ys, 1) - least(ys, 0) || 1);
    const [low, high] = [chart.low ?? least(ys, 0) - margin, chart.high ?? most(ys, 1) + margin];
    const named = curves.filter((curve) => curve.name && curve.points.length);
    const names = [...named, ...levels].map((one) => one.name.length);
    place = axes(svg, width(), 14 + 8 * Math.min(most(names, 0), 22), { low: from, high: to, log: chart.log, whole: chart.whole, name: chart.x }, { low, high, log: chart.logUp, name: chart.y });
    const { x, left, right } = place;
    const y = (/** @type {number} */ value) => place.y(Math.min(Math.max(value, low), high));

    for (const level of levels) svg.append(s("line", { class: "level", x1: left, x2: right, y1: y(level.y), y2: y(level.y) }));
    marks.forEach((mark, i) => {
      const there = x(Math.min(Math.max(mark.x, from), to));
      const isLate = there > (left + right) / 2;
      svg.append(
        s("line", { class: "level", x1: there, x2: there, y1: TOP, y2: HEIGHT - BOTTOM }),
        s("text", { x: there + (isLate ? -3 : 3), y: TOP + 30 + 15 * i, class: "level", "text-anchor": isLate ? "end" : "start" }, mark.name),
      );
    });
    for (const curve of curves) {
      const line = curve.points.filter(([, one]) => Number.isFinite(one)).map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`);
      if (line.length) svg.append(s("path", { class: curve.kind, d: `M${line.join("L")}` }));
    }
    const labels = [
      ...named.map((curve) => ({ text: curve.name, kind: curve.kind, y: y(curve.points[curve.points.length - 1][1]) })),
      ...levels.map((level) => ({ text: level.name, kind: "level", y: y(level.y) })),
    ];
    const free = apart(labels.map((label) => label.y + 4), LINE, TOP + 8, HEIGHT - BOTTOM);
    labels.forEach((label, i) => svg.append(s("text", { x: right + 6, y: free[i], class: label.kind }, shortened(label.text))));
    if (at) svg.append(...at.ys.map((value, i) => s("circle", { r: 5, class: curves[i].kind, cx: x(at?.x ?? 0), cy: y(value) })));
  }

  if (onDrag) {
    svg.classList.add("drag");
    const drag = (/** @type {PointerEvent} */ event) => {
      const box = svg.getBoundingClientRect();
      const share = (event.clientX - box.left - place.left) / (place.right - place.left);
      const [from, to] = range(chart);
      const inside = Math.min(Math.max(share, 0), 1);
      onDrag(chart.log ? from * (to / from) ** inside : from + (to - from) * inside);
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      drag(event);
    });
    svg.addEventListener("pointermove", (event) => event.buttons && drag(event));
  }

  draw();
  return {
    element: h("figure", { class: "plot" }, svg, files(chart.title, svg, () => numbers(chart))),
    /** @param {Chart} next what to show from now on */
    draw(next) {
      chart = next;
      draw();
    },
    /** @param {number} x @param {number[]} ys where the points of the curves are */
    point(x, ys) {
      at = { x, ys };
      draw();
    },
  };
}

/**
 * Return where the x axis begins and ends.
 *
 * @param {Chart} chart
 */
function range(chart) {
  const xs = chart.curves.flatMap((curve) => curve.points.map(([x]) => x));
  return [chart.first ?? least(xs, 0), chart.last ?? most(xs, 1)];
}

/**
 * The numbers of a chart: a column a curve if they share their places, else a row a point.
 *
 * @param {Chart} chart
 * @returns {import("./files.js").Numbers}
 */
function numbers({ x, y, curves, levels = [] }) {
  const [one, ...others] = curves;
  const shared = one && others.every((curve) => curve.points.length === one.points.length && curve.points.every(([at], i) => at === one.points[i][0]));
  if (shared) {
    const head = [x, ...curves.map((curve) => curve.name || y), ...levels.map((level) => level.name)];
    return { head, rows: one.points.map(([at], i) => [at, ...curves.map((curve) => curve.points[i][1]), ...levels.map((level) => level.y)]) };
  }
  const rows = curves.flatMap((curve) => curve.points.map(([a, b]) => /** @type {(string | number)[]} */ ([curve.name, a, b])));
  return { head: ["curve", x, y], rows: [...rows, ...levels.map((level) => [level.name, "", level.y])] };
}

/** @param {string} name */
const shortened = (name) => (name.length > 22 ? `${name.slice(0, 21)}…` : name);

/** @param {number[]} values @param {number} none if there are no values */
const least = (values, none) => (values.length ? values.reduce((a, b) => Math.min(a, b)) : none);

/** @param {number[]} values @param {number} none */
const most = (values, none) => (values.length ? values.reduce((a, b) => Math.max(a, b)) : none);
