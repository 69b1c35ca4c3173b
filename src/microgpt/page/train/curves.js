/** The curves of a training as it goes on, those before it as ghosts, and the baselines as level lines; drawn once a frame at most. */

import { plot } from "../chart/plot.js";

/** @typedef {import("./drafts.js").Point} Point */

/** How many earlier curves stay. */
const GHOSTS = 4;

export function curves() {
  /** @type {Point[]} */
  let points = [];
  /** @type {Point[]} */
  let heldOut = [];
  /** @type {Point[][]} */
  let ghosts = [];
  /** @type {import("../chart/plot.js").Level[]} */
  let levels = [];
  /** @type {number | null} */
  let steps = null;
  let frame = 0;
  const chart = plot(content());

  /** @returns {import("../chart/plot.js").Chart} */
  function content() {
    const last = steps ?? Math.max(...[points, ...ghosts].map((one) => one.at(-1)?.[0] ?? 1));
    const shown = ghosts.map((ghost) => ghost.filter(([step]) => step <= last));
    const ys = levels.map((level) => level.y);
    const high = ys.length ? 1.15 * Math.max(...ys) : 4;
    const all = [...ys, ...[points, heldOut, ...shown].flatMap((one) => one.map(([, y]) => y))].filter((y) => y < high);
    return {
      title: "Loss during training", x: "step", y: "nats a position", first: 0, last, levels,
      low: all.length ? Math.floor(4 * Math.min(...all) - 0.4) / 4 : 0, high,
      curves: [
        ...shown.map((ghost) => ({ name: "", kind: "ghost", points: ghost })),
        { name: "training", kind: "two", points },
        { name: "held out", kind: "one", points: heldOut },
      ],
    };
  }

  function draw() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      chart.draw(content());
    });
  }

  return {
    element: chart.element,
    /** Begin a curve; the one before becomes a ghost. @param {number | null} all the steps of the whole training */
    begin(all) {
      const before = heldOut.length > 1 ? heldOut : points;
      if (before.length > 1) ghosts = [...ghosts, before].slice(-GHOSTS);
      [points, heldOut, steps] = [[], [], all];
      draw();
    },
    /** @param {Point[]} more @param {Point[]} measured */
    add(more, measured) {
      points.push(...more);
      heldOut.push(...measured);
      draw();
    },
    /** Show baselines. @param {{name: string, loss: number}[]} found */
    level(found) {
      levels = found.map(({ name, loss }) => ({ name, y: loss }));
      draw();
    },
    /** Forget earlier curves: they are of another text. */
    forget() {
      [points, heldOut, ghosts] = [[], [], []];
      draw();
    },
    /** Wait until what was added is on the screen. @returns {Promise<void>} */
    drawn: () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
    /** The last loss of training. */
    last: () => points.at(-1)?.[1] ?? NaN,
    /** The last held-out loss. */
    measured: () => heldOut.at(-1)?.[1] ?? NaN,
  };
}
