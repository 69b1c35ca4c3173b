/** What is said of the chosen runs: what they differ in, their worst documents, their reports. */

import * as address from "../address.js";
import { save } from "../chart/files.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { counted, figures } from "../numbers.js";
import { button, shown, table } from "../pieces.js";
import { ask, stream } from "../server.js";

/** @typedef {import("../views/runs.js").Row} Row */
/** @typedef {{what: string, loss: number, worst: {text: string, loss: number}[]}} Worst */

/**
 * @param {(sentence: string) => void} say
 * @param {AbortSignal} signal
 * @param {() => Promise<void>} refresh reads the table again
 */
export function details(say, signal, refresh) {
  const element = h("section", { "aria-label": "The chosen runs", id: "details" });
  const buttons = h("div", { class: "row" });
  /** @type {string[] | null} */
  let runs = null;

  /** @param {unknown} error */
  const tell = (error) => {
    if (!signal.aborted) say(sentence(error));
  };

  /** @param {string} path @param {string} run */
  async function steer(path, run) {
    try {
      await ask(path, { run }, signal);
      await refresh();
    } catch (error) {
      tell(error);
    }
  }

  /** @param {string} run */
  async function report(run) {
    say("The report is being made.");
    try {
      save(`${run.replace(/[^\w.-]/g, "_")}.html`, "text/html", (await ask("/api/report", { run }, signal)).page);
      say("");
    } catch (error) {
      tell(error);
    }
  }

  /** @param {Row[]} rows @param {string[]} mine the runs that are shown while it is looked up */
  async function differences(rows, mine) {
    if (rows.length < 2) return null;
    const { differs } = await ask("/api/differ", { runs: mine }, signal);
    const value = (/** @type {unknown} */ one) => (typeof one === "number" ? (Number.isInteger(one) ? counted(one) : figures(one)) : one == null ? "-" : String(one));
    return table({
      caption: "What they differ in",
      head: ["setting or result", ...mine],
      rows: Object.entries(differs).map(([name, values]) => [name, ...values.map(value)]),
    });
  }

  /** @param {string} run */
  function worst(run) {
    const place = h("div", { class: "quiet" }, "The worst documents are being looked for.");
    /** @param {any} event */
    const onEvent = (event) => {
      if (!event.worst) return void (place.textContent = `${counted(event.documents)} documents measured`);
      const found = /** @type {Worst} */ (event);
      const open = (/** @type {string} */ text) => button(shown(text), () => address.go({ view: "loss", run, text, at: 0 }), { class: "plain" });
      place.className = "";
      place.replaceChildren(
        table({ caption: `${run}: the worst of ${found.what}, nats a position`, head: ["document", "loss"], rows: found.worst.map((one) => [open(one.text), figures(one.loss)]) }),
      );
    };
    stream("/api/worst", { run }, onEvent, signal).catch((error) => {
      place.textContent = `${run}: ${sentence(error)}`;
    });
    return place;
  }

  return {
    element,
    buttons,
    /** Whether anything is shown yet. */
    shown: () => runs !== null,
    /** @param {Row[]} rows of the chosen runs */
    async show(rows) {
      const mine = (runs = rows.map((row) => row.run));
      const one = rows.length === 1 ? rows[0] : null;
      buttons.replaceChildren(
        ...(one?.state === "training" ? [button("Stop", () => steer("/api/stop", one.run))] : []),
        ...(one?.state === "stopped" ? [button("Continue", () => steer("/api/resume", one.run))] : []),
        ...(one ? [button("Save its report", () => report(one.run)), button("See its loss", () => address.go({ view: "loss", run: one.run }))] : []),
      );
      element.replaceChildren();
      if (one) element.append(h("p", {}, "Made by ", h("code", { class: "words" }, one.command)));
      try {
        const found = await differences(rows, mine);
        if (runs !== mine || signal.aborted) return;
        if (found) element.append(found);
      } catch (error) {
        return tell(error);
      }
      element.append(...mine.map(worst));
    },
  };
}
