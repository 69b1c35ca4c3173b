/** The curves of the chosen runs, one chart of them all; and the colour of each. */

import { plot } from "../chart/plot.js";

/**
 * @typedef {[number, number][]} Points
 * @typedef {{run: string, state: string, training: Points, held_out: Points, mixed: Points, step: number, loss: number, lr: number, seconds: number, why: string}} RunCurves
 */

/** The most runs in one chart: each has a colour and a dash pattern of its own. */
export const MOST = 8;

/**
 * Make the chart.
 */
export function curves() {
  /** @type {Map<string, RunCurves>} */
  const known = new Map();
  let frame = 0;
  const chart = plot(drawn([]));

  /**
   * @param {string[]} runs in the order of their colours
   * @returns {import("../chart/plot.js").Chart}
   */
  function drawn(runs) {
    const shown = runs.map((run) => known.get(run)).filter((one) => one !== undefined);
    return {
      title: "Loss against updates: held out strong, training faint",
      x: "updates", y: "nats a position", whole: true, first: 0,
      curves: shown.flatMap((one) => {
        const kind = `run${runs.indexOf(one.run)}`;
        const held = one.mixed.length ? one.mixed : one.held_out;
        if (!held.length) return [{ name: one.run, kind, points: one.training }];
        return [{ name: "", kind: `${kind} faint`, points: one.training }, { name: one.run, kind, points: held }];
      }),
    };
  }

  return {
    element: chart.element,
    /** @param {RunCurves} its @param {string[]} runs */
    set(its, runs) {
      known.set(its.run, its);
      this.show(runs);
    },
    /** Draw at most once a frame. @param {string[]} runs */
    show(runs) {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => chart.draw(drawn(runs)));
    },
  };
}
