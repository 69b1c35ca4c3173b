/** One head's attention, large: each cell says in words what it is, under the pointer and by the arrow keys. */

import { files } from "../chart/files.js";
import { h, s } from "../dom.js";
import { percent } from "../numbers.js";
import { cells } from "./triangle.js";

const LABEL = 46;
const WIDEST = 480;

/** The smallest letters; where cells are smaller, every second is named, or every third, and so on. */
const SMALLEST = 9;

/**
 * @param {string} title
 * @param {string} head how the sentence names it
 * @param {string[]} read
 * @param {number[][]} shares
 * @param {[number, number]} first the cell that is chosen at first
 * @param {(row: number, column: number) => void} onChoose
 */
export function matrix(title, head, read, shares, first, onChoose) {
  const size = shares.length;
  const cell = Math.min(56, (WIDEST - LABEL) / size);
  const side = LABEL + size * cell;
  const font = Math.max(Math.min(13, cell - 1), SMALLEST);
  const every = Math.ceil((SMALLEST + 1) / cell);
  const cursor = s("rect", { class: "cursor", width: cell, height: cell });
  const svg = s(
    "svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": `${title}: the shares are in its table` },
    ...cells(shares, cell, LABEL, LABEL),
    ...read.flatMap((symbol, i) => {
      if (i % every) return [];
      const middle = LABEL + (i + 0.5) * cell;
      return [label(symbol, LABEL - 5, middle, "end", font), label(symbol, middle, LABEL - 10, "middle", font)];
    }),
    cursor,
  );
  const says = h("p", { id: "cell", "aria-live": "polite" });
  let [row, column] = [0, 0];

  /** @param {number} t @param {number} s */
  function choose(t, s) {
    row = Math.min(Math.max(t, 0), size - 1);
    column = Math.min(Math.max(s, 0), row);
    cursor.setAttribute("x", String(LABEL + column * cell));
    cursor.setAttribute("y", String(LABEL + row * cell));
    says.textContent = `Reading ${read[row]} at position ${row}, ${head} looks ${percent(shares[row][column])} at ${read[column]}, position ${column}.`;
  }

  /** @type {Record<string, [number, number]>} */
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -size], End: [0, size] };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    choose(row + move[0], column + move[1]);
    onChoose(row, column);
  };
  const point = (/** @type {PointerEvent} */ event) => {
    const box = svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top].map((at) => Math.floor(((at / box.width) * side - LABEL) / cell));
    if (x < 0 || y < 0 || y >= size || x > y) return;
    choose(y, x);
    if (event.type === "pointerdown") onChoose(y, x);
  };
  choose(...first);
  const board = h(
    "div", { class: "board", tabindex: 0, role: "application", "aria-label": `${title}. The arrow keys move from cell to cell.`, onkeydown: keys, onpointermove: point, onpointerdown: point },
    svg,
  );
  board.style.width = `${side}px`;
  const numbers = () => ({
    head: ["reading", ...read.map((symbol, i) => `${i}: ${symbol}`)],
    rows: shares.map((line, t) => [`${t}: ${read[t]}`, ...line, ...read.slice(line.length).map(() => "")]),
  });
  return h("figure", { class: "plot" }, says, board, files(title, svg, numbers));
}

/** @param {string} symbol @param {number} x @param {number} y @param {string} anchor @param {number} size */
function label(symbol, x, y, anchor, size) {
  const text = s("text", { x, y, "text-anchor": anchor, "dominant-baseline": "middle" }, symbol.length > 6 ? `${symbol.slice(0, 5)}…` : symbol);
  text.style.fontSize = `${size}px`;
  return text;
}
