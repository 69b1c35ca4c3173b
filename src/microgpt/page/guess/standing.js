/** How a game stands: the mean loss of whoever bets beside that of the model, of counts, and of blind guessing. */

import { plot } from "../chart/plot.js";
import { h } from "../dom.js";
import { figures } from "../numbers.js";
import { bar, table } from "../pieces.js";

/** @typedef {import("./ask.js").Game} Game */

/**
 * Return the means so far, by name; those that are not known are left out.
 *
 * @param {Game} game with at least one token
 * @returns {{name: string, mean: number}[]}
 */
export function means({ guessed, counts, blind }) {
  const [yours, model, counted] = guessed[guessed.length - 1].means;
  const found = [{ name: "you", mean: yours ?? Infinity }, { name: "this model", mean: model }];
  if (counted !== null) found.push({ name: counts, mean: counted });
  return [...found, { name: "blind guessing", mean: blind }];
}

/** @param {string} unit */
export function standing(unit) {
  const places = h("div", { id: "means" });
  const chart = plot(picture(null, unit));
  return {
    element: h("div", {}, places, chart.element),
    /** @param {Game} game */
    draw(game) {
      chart.draw(picture(game, unit));
      const found = game.guessed.length ? means(game) : [{ name: "blind guessing", mean: game.blind }];
      const most = Math.max(...found.map((one) => one.mean).filter(Number.isFinite));
      places.replaceChildren(
        table({
          caption: `Mean loss so far, nats a ${unit}; exp of it: as unsure as a choice among so many`,
          head: ["", "mean", "among", ""],
          rows: found.map(({ name, mean }) => [name, figures(mean), Number.isFinite(mean) ? Math.exp(mean).toFixed(1) : "∞", bar(mean / most)]),
          marked: (row) => found[row].name === "you",
        }),
      );
    },
  };
}

/**
 * @param {Game | null} game
 * @param {string} unit
 * @returns {import("../chart/plot.js").Chart}
 */
function picture(game, unit) {
  const guessed = game?.guessed ?? [];
  const curve = (/** @type {number} */ k) => guessed.map((one, i) => /** @type {[number, number]} */ ([i + 1, one.means[k] ?? Infinity]));
  const curves = [
    { name: "you", kind: /** @type {const} */ ("one"), points: curve(0) },
    { name: "this model", kind: /** @type {const} */ ("two"), points: curve(1) },
    ...(game?.counts ? [{ name: game.counts, kind: /** @type {const} */ ("three"), points: curve(2) }] : []),
  ];
  return {
    title: "The means so far", x: `${unit}s guessed`, y: "mean loss", curves, first: 1, last: Math.max(guessed.length, 8), whole: true, low: 0,
    high: 1.2 * Math.max(1.3 * (game?.blind ?? 3), ...curves.flatMap((one) => one.points.map(([, y]) => y)).filter(Number.isFinite)),
    levels: game ? [{ name: "blind guessing", y: game.blind }] : [],
  };
}
