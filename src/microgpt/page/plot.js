/**
 * A chart: curves, level lines and a point to drag, with a table, an SVG and a CSV file of the same numbers.
 *
 * @typedef {{name: string, kind: "one" | "two" | "three", points: [number, number][]}} Curve
 * @typedef {{name: string, x: number}} Mark
 * @typedef {{x: string, y: string, title: string, curves: Curve[], low: number, high: number, marks?: Mark[]}} Chart
 */

import { h, s } from "./dom.js";
import { figures } from "./numbers.js";

const WIDEST = 560;
const HEIGHT = 240;
const LEFT = 52;
const RIGHT = 76;
const TOP = 12;
const BOTTOM = 40;

/**
 * Draw a chart whose x axis is logarithmic.
 *
 * @param {Chart} chart
 * @param {(x: number) => void} [onDrag] called with the place a pointer is moved to
 */
export function plot(chart, onDrag) {
  // Drawn as wide as it is shown, so that its letters keep their size.
  const WIDTH = Math.min(WIDEST, document.documentElement.clientWidth - 24);
  const places = chart.curves.flatMap((curve) => curve.points.map(([x]) => x));
  const [first, last] = [Math.min(...places), Math.max(...places)];
  const across = (/** @type {number} */ x) =>
    LEFT + (Math.log(x / first) / Math.log(last / first)) * (WIDTH - LEFT - RIGHT);
  const up = (/** @type {number} */ y) =>
    HEIGHT - BOTTOM - ((y - chart.low) / (chart.high - chart.low)) * (HEIGHT - BOTTOM - TOP);

  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": chart.title });
  for (let power = Math.ceil(Math.log10(first) - 1e-9); 10 ** power <= last * 1.000001; power++) {
    const x = across(10 ** power);
    svg.append(
      s("line", { class: "axis", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
      s("text", { x, y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, String(+(10 ** power).toPrecision(1))),
    );
  }
  for (let i = 0; i <= 4; i++) {
    const value = chart.low + (i / 4) * (chart.high - chart.low);
    svg.append(
      s("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: up(value), y2: up(value) }),
      s("text", { x: LEFT - 6, y: up(value) + 4, "text-anchor": "end" }, String(+value.toFixed(2))),
    );
  }
  svg.append(
    s("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, chart.x),
    s("text", { x: 4, y: TOP, "dominant-baseline": "hanging" }, chart.y),
  );
  for (const [i, mark] of (chart.marks ?? []).entries()) {
    const x = across(Math.min(Math.max(mark.x, first), last));
    svg.append(
      s("line", { class: "level", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
      s("text", { x: x + 3, y: TOP + 30 + 15 * i, class: "three" }, mark.name),
    );
  }
  const dots = chart.curves.map((curve, i) => {
    const line = curve.points.map(([x, y]) => `${across(x).toFixed(1)},${up(Math.min(y, chart.high)).toFixed(1)}`);
    const dot = s("circle", { r: 5, class: curve.kind });
    svg.append(
      s("path", { class: curve.kind, d: `M${line.join("L")}` }),
      s("text", { x: WIDTH - RIGHT + 6, y: TOP + 40 + 18 * i, class: curve.kind }, curve.name),
      dot,
    );
    return dot;
  });

  if (onDrag) {
    svg.classList.add("drag");
    const drag = (/** @type {PointerEvent} */ event) => {
      const box = svg.getBoundingClientRect();
      const at = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
      onDrag(first * (last / first) ** Math.min(Math.max(at, 0), 1));
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      drag(event);
    });
    svg.addEventListener("pointermove", (event) => event.buttons && drag(event));
  }

  return {
    element: h("figure", { class: "plot" }, svg, tools(chart, svg)),
    /** @param {number} x @param {number[]} ys where the points of the curves are */
    point(x, ys) {
      dots.forEach((dot, i) => {
        dot.setAttribute("cx", String(across(x)));
        dot.setAttribute("cy", String(up(Math.min(ys[i], chart.high))));
      });
    },
  };
}

/**
 * The table of a chart, and its files.
 *
 * @param {Chart} chart
 * @param {SVGSVGElement} svg
 */
function tools(chart, svg) {
  const rows = chart.curves[0].points.map(([x], i) => [x, ...chart.curves.map((curve) => curve.points[i][1])]);
  const head = [chart.x, ...chart.curves.map((curve) => curve.name)];
  const table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Table: ${chart.title}` });
  const details = h("details", {}, h("summary", {}, "Table"), table);
  details.addEventListener("toggle", () => {
    if (!details.open || table.hasChildNodes()) return;
    const step = Math.ceil(rows.length / 24);
    table.append(
      h(
        "table", {},
        h("caption", {}, chart.title),
        h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, ...rows.filter((_, i) => i % step === 0).map((row) => h("tr", {}, ...row.map((x) => h("td", {}, figures(x)))))),
      ),
    );
  });
  const csv = () => [head.map((name) => `"${name.replaceAll('"', '""')}"`), ...rows].map((row) => row.join(",")).join("\r\n") + "\r\n";
  return h(
    "figcaption", { class: "tools" },
    h("span", {}, chart.title),
    details,
    h("button", { type: "button", onclick: () => save("chart.svg", "image/svg+xml", standalone(svg)) }, "SVG"),
    h("button", { type: "button", onclick: () => save("chart.csv", "text/csv", csv()) }, "CSV"),
  );
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
    for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "font", "text-anchor"]) {
      to[i].setAttribute(name, style.getPropertyValue(name));
    }
  });
  return new XMLSerializer().serializeToString(copy);
}

/**
 * @param {string} name
 * @param {string} type
 * @param {string} content
 */
function save(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}
