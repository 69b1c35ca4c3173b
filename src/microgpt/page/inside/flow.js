/** The picture of a graph: its parts as boxes in the order of their computation, with the inputs that lead between them. */

import { h, s } from "../dom.js";
import { counted, figures } from "../numbers.js";

const [WIDTH, HEIGHT, GAP, TOP, BELOW] = [132, 62, 54, 18, 150];

/**
 * @param {import("./ask.js").Part} graph
 */
export function flow({ boxes, arrows }) {
  const names = boxes.map((box) => box.path.join(" "));
  const chain = boxes.filter((box) => box.path[0] !== "parameters");
  const parameters = boxes.find((box) => box.path[0] === "parameters");
  const left = (/** @type {number} */ i) => 1 + i * (WIDTH + GAP);
  const width = left(chain.length) - GAP + 1;
  const count = (/** @type {string} */ from, /** @type {string} */ to) => arrows.find((one) => one[0] === from && one[1] === to)?.[2] ?? 0;
  const svg = s("svg", {
    viewBox: `0 0 ${width} ${BELOW + 36}`, role: "img",
    "aria-label": `The graph, folded: ${names.join(", ")}. The outline has the same parts in words.`,
  });
  svg.style.width = `${width}px`;
  chain.forEach((box, i) => {
    const name = box.path.join(" ");
    svg.append(
      s("rect", { class: "box", x: left(i), y: TOP, width: WIDTH, height: HEIGHT, rx: 4 }),
      text(left(i) + WIDTH / 2, TOP + 18, name, "name"),
      text(left(i) + WIDTH / 2, TOP + 36, `${counted(box.values)} Values`),
      text(left(i) + WIDTH / 2, TOP + 53, `gradient ${figures(box.gradient)}`),
    );
    const inputs = count("parameters", name);
    if (inputs) svg.append(...arrow(left(i) + WIDTH / 2, BELOW, left(i) + WIDTH / 2, TOP + HEIGHT), text(left(i) + WIDTH / 2 + 6, BELOW - 26, counted(inputs), "", "start"));
    const next = i + 1 < chain.length ? count(name, chain[i + 1].path.join(" ")) : 0;
    if (next) svg.append(...arrow(left(i) + WIDTH, TOP + HEIGHT / 2, left(i + 1), TOP + HEIGHT / 2), text(left(i) + WIDTH + GAP / 2, TOP + HEIGHT / 2 - 8, counted(next)));
  });
  if (parameters) {
    svg.append(
      s("rect", { class: "box", x: 1, y: BELOW, width: width - 2, height: 30, rx: 4 }),
      text(width / 2, BELOW + 20, `${counted(parameters.values)} parameters · gradient ${figures(parameters.gradient)}`, "name"),
    );
  }
  return h("div", { class: "scroll flow", tabindex: 0, role: "region", "aria-label": "Picture of the graph" }, svg);
}

/** @param {number} x @param {number} y @param {string} words @param {string} [kind] @param {string} [anchor] */
const text = (x, y, words, kind = "", anchor = "middle") => s("text", { x, y, class: kind, "text-anchor": anchor }, words);

/**
 * Return a line with a head; it goes to the right, or up.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} toX
 * @param {number} toY
 */
function arrow(x, y, toX, toY) {
  const head = toX > x ? `M${toX} ${toY}l-7 -4v8z` : `M${toX} ${toY}l-4 7h8z`;
  return [s("line", { class: "link", x1: x, y1: y, x2: toX, y2: toY }), s("path", { class: "tip", d: head })];
}
