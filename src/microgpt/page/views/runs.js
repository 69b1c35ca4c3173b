/** All runs: a table, the curves of up to eight of them, what they differ in, their worst documents. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { counted, figures } from "../numbers.js";
import { table } from "../pieces.js";
import { curves, MOST } from "../runs/curves.js";
import { details } from "../runs/details.js";
import { sweeps } from "../runs/sweeps.js";
import { ask, runs as names, stream } from "../server.js";

/**
 * @typedef {{run: string, why?: string, data: string, preset: string, parameters: number, steps: number, loss: number | null, heldout: number | null, gpt: number | null, seconds: number, state: string, command: string}} Row
 * @typedef {import("../runs/curves.js").RunCurves} RunCurves
 */

/** How often new runs are looked for, in milliseconds. */
const LOOK = 1500;

/** @type {import("../frame.js").View} */
export const view = {
  name: "runs",
  title: "Runs",
  line: "Every run, also one that a terminal is training now. Choose up to eight to compare.",
  needsRun: false,
  open,
};

/** @param {import("../frame.js").Context} context */
function open({ say, signal }) {
  /** @type {Row[]} */
  let rows = [];
  /** @type {Map<string, RunCurves>} */
  const live = new Map();
  let chosen = /** @type {string[]} */ (JSON.parse(address.get("runs", "[]")));
  let following = new AbortController();
  signal.addEventListener("abort", () => following.abort());

  const chart = curves();
  const list = h("div", { id: "runs-table" });
  const more = details(say, signal, refresh);

  /** @param {unknown} error */
  const tell = (error) => {
    if (!signal.aborted) say(sentence(error));
  };

  /** Read the table again. */
  async function refresh() {
    try {
      rows = (await ask("/api/table", {}, signal)).rows;
    } catch (error) {
      return tell(error);
    }
    say(rows.length ? "" : "There is no run yet. Train one here, or in the terminal: microgpt train.");
    const known = chosen.filter((run) => rows.some((row) => row.run === run && !row.why));
    choose(known.length ? known : rows.filter((row) => !row.why).slice(0, 1).map((row) => row.run));
  }

  /** @param {string[]} runs */
  function choose(runs) {
    const isNew = String(runs) !== String(chosen) || !more.shown();
    chosen = runs;
    address.set({ runs: runs.length ? JSON.stringify(runs) : null });
    show();
    chart.show(chosen);
    if (!isNew) return;
    more.show(chosen.map((run) => /** @type {Row} */ (rows.find((row) => row.run === run))));
    void follow();
  }

  /** Follow the logs of the chosen runs, until others are chosen. */
  async function follow() {
    following.abort();
    if (!chosen.length) return;
    const mine = (following = new AbortController());
    try {
      await stream("/api/follow", { runs: chosen }, (/** @type {RunCurves} */ its) => {
        if (mine.signal.aborted) return;
        const before = live.get(its.run);
        live.set(its.run, its);
        chart.set(its, chosen);
        if (its.why) say(its.why);
        if (before && before.state !== its.state) void refresh();
        else show();
      }, mine.signal);
    } catch (error) {
      if (!mine.signal.aborted) tell(error);
    }
  }

  /** Show the table, with what is known now of runs that are training. */
  function show() {
    const focused = document.activeElement?.id;
    list.replaceChildren(
      table({
        caption: `${counted(rows.length)} runs, the newest first; loss: nats a position. Choose up to ${MOST}`,
        head: ["run", "", "data", "steps", "loss", "held out", "seconds"],
        rows: rows.map((row, i) => {
          if (row.why) return [row.run, row.why];
          const now = live.get(row.run);
          const place = chosen.indexOf(row.run);
          const box = h("input", {
            type: "checkbox", id: `run-${i}`, checked: place >= 0, disabled: place < 0 && chosen.length >= MOST, onchange: () => choose(place >= 0 ? chosen.filter((one) => one !== row.run) : [...chosen, row.run]),
          });
          const state = now?.state ?? row.state;
          const heldOut = now ? (now.mixed.at(-1) ?? now.held_out.at(-1))?.[1] : row.heldout;
          return [
            h("label", {}, box, " ", row.run),
            h("span", { class: state === "training" && "training" }, state),
            row.data,
            counted(now ? now.step : row.steps),
            now && state === "training" ? figures(now.loss) : row.loss === null ? "-" : figures(row.loss),
            heldOut == null ? "-" : figures(heldOut),
            (now ? now.seconds : row.seconds).toFixed(1),
          ];
        }),
      }),
    );
    if (focused) document.getElementById(focused)?.focus();
  }

  const look = setInterval(async () => {
    try {
      const found = await names();
      if (found.length !== rows.length || found.some((run) => !rows.some((row) => row.run === run))) await refresh();
    } catch (error) {
      tell(error);
    }
  }, LOOK);
  signal.addEventListener("abort", () => clearInterval(look));

  void refresh();
  return h(
    "div", { class: "columns runs" },
    h("section", { "aria-label": "Table of runs" }, list, more.buttons),
    h("section", { "aria-label": "Curves" }, chart.element),
    more.element,
    sweeps(tell, signal),
  );
}
