/** A training as it goes on: its buttons, its curve, what it says, samples, histograms. */

import { h } from "../dom.js";
import { counted, figures } from "../numbers.js";
import { button } from "../pieces.js";
import { Refused } from "../server.js";
import { curves } from "./curves.js";
import { draft, keep, levels } from "./drafts.js";
import { hand } from "./hand.js";
import { matrices } from "./matrices.js";

/** A number of things to two digits. @param {number} n */
const rough = (n) => counted(Number(n.toPrecision(2)));

/** A loss as the terminal shows it at the end. @param {number} loss */
const precise = (loss) => (loss < 1e4 ? loss.toFixed(4) : figures(loss));

/** Milliseconds after which a curve is too late for a hand that still moves. */
const SOON = 300;

/**
 * @typedef {{question: Record<string, any>, goesOn: boolean, moved: number}} Wanted moved: when the hand moved
 *
 * @param {import("./controls.js").Settings} settings
 * @param {(sentence: string) => void} say
 * @param {AbortSignal} signal
 */
export function training(settings, say, signal) {
  const chart = curves();
  const histograms = matrices();
  const at = h("p", { id: "at" });
  const result = h("p", { id: "result" });
  const about = h("p", { class: "quiet" });
  const took = h("p", { class: "quiet", id: "took" });
  const measured = h("p", { class: "quiet" });
  const samples = h("ul", { class: "samples", "aria-label": "Samples" });
  const kept = h("p", { id: "kept" });
  const go = button("Train", () => retrain({}), { class: "main" });
  const halt = button("Stop", () => (stopped(true), one.stop()));
  const onwards = button("Continue", () => want(true));
  const save = button("Keep as a run", () => void keptAsRun());
  /** @type {object | null} */
  let newest = null;
  let levelled = "";
  let unit = "character";
  stopped(false);

  /** Show which buttons there are. @param {boolean} isStopped @param {boolean} [isBusy] */
  function stopped(isStopped, isBusy = false) {
    halt.disabled = !isBusy;
    onwards.disabled = !isStopped;
  }

  const one = hand(async (/** @type {Wanted} */ wanted, /** @type {AbortSignal} */ abort) => {
    const mine = (newest = wanted);
    const both = AbortSignal.any([abort, signal]);
    stopped(false, true);
    /** @type {Promise<void>} */
    const whole = new Promise((resolve) => {
      const show = (/** @type {import("./drafts.js").Event} */ event) => {
        if (mine !== newest || signal.aborted) return;
        if (event.begun) began(event.begun, wanted);
        if (event.curve) moved(event.curve);
        if (event.look) looked(event.look);
        if (event.ended) {
          ended(event.ended, wanted);
          resolve();
        }
      };
      const question = { ...wanted.question, goes_on: wanted.goesOn };
      draft(question, show, both).catch((error) => {
        if (both.aborted) return;
        if (!(error instanceof Refused)) throw error;
        stopped(false);
        say(error.message);
      }).finally(resolve);
    });
    await whole;
  });

  /** @param {import("./drafts.js").Begun} begun @param {Wanted} wanted */
  function began(begun, wanted) {
    say("");
    if (!wanted.goesOn || begun.from === 0) chart.begin(begun.steps);
    unit = begun.unit;
    const muon = begun.muon_lr === null ? "" : ` (Muon's: ${figures(begun.muon_lr)})`;
    result.textContent = "";
    const cut = begun.cut ? `${counted(begun.cut)} ${unit}s are cut: this preset reads the first ${begun.block_size} of a document. Others read all. ` : "";
    about.textContent =
      `${counted(begun.documents)} documents to learn from, ${counted(begun.held_out)} held out; ` +
      `${counted(begun.parameters)} parameters. The learning rate falls from ${figures(begun.lr)}${muon} to 0. ${cut}${begun.notes.join(" ")}`;
  }

  /** @param {NonNullable<import("./drafts.js").Event["curve"]>} curve */
  function moved({ points, held_out, at: now }) {
    chart.add(points, held_out);
    if (!now) return;
    at.textContent =
      `Step ${counted(now.step)}: training loss ${figures(chart.last())}, held out ${figures(chart.measured())}; learning rate ${figures(now.lr)}; ` +
      `${rough(now.steps_a_second)} steps and ${rough(now.positions_a_second)} ${unit}s a second.`;
  }

  /** @param {import("./drafts.js").Ended} end @param {Wanted} wanted */
  function ended(end, wanted) {
    stopped(false);
    if (end.warning) say(`${end.warning[0].toUpperCase()}${end.warning.slice(1)}`);
    if (end.loss !== null) {
      const error = end.error ? ` (± ${figures(end.error)})` : "";
      const state = end.kept ? ` The state after step ${counted(end.kept)} is kept: held-out documents cost more since.` : "";
      result.textContent = `${end.held_out ? "Held-out" : "Training"} loss at the end: ${precise(end.loss)} nats a ${unit}${error}.${state}`;
    }
    took.textContent = "";
    if (!wanted.goesOn) void chart.drawn().then(() => {
      const ms = performance.now() - wanted.moved;
      performance.clearMeasures("redrawn");
      performance.measure("redrawn", { start: wanted.moved, detail: wanted.question });
      const slow = ms > SOON ? " That is too slow to follow a slider: a curve that is not whole streams in. Fewer steps, a smaller batch or width are quicker." : "";
      took.textContent = `The whole curve was on the screen ${counted(Math.round(ms))} ms after the change.${slow}`;
    });
  }

  /** @param {import("./drafts.js").Look} look */
  function looked(look) {
    samples.replaceChildren(
      ...look.samples.map(([sample, seen]) => h("li", { title: seen ? "It is one of the documents trained on" : "A new one" }, sample || "(empty)", seen && " *")),
    );
    histograms.show(look.matrices);
  }

  /** Ask for the level lines, if they are of another text or preset. @param {Record<string, any>} question */
  async function level(question) {
    const { text, read_as, preset } = question;
    const key = JSON.stringify([text, read_as, preset]);
    if (key === levelled) return;
    levelled = key;
    try {
      const found = await levels({ text, read_as, preset }, signal);
      if (key !== levelled || signal.aborted) return;
      chart.level(found.levels);
      measured.textContent = `Level lines: a blind guess (uniform), and counts of letters (unigram), of pairs (bigram) and of longer sequences (n-gram), measured on ${found.what}.`;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refused)) throw error;
      levelled = ""; // the training says the same
    }
  }

  async function keptAsRun() {
    save.disabled = true;
    kept.textContent = "Starting …";
    try {
      const question = settings.question();
      const { run, file } = await keep(question);
      const timed = question.seconds ? " Its losses are not exactly these: with a budget in seconds the learning rate follows the clock." : "";
      const written = file ? ` Your text was written to ${file}, which the run names.` : "";
      kept.replaceChildren(
        "Training as ", h("a", { href: `#view=runs&runs=${encodeURIComponent(JSON.stringify([run]))}` }, run),
        `, in a process of its own: it goes on when this page is closed or the studio ends.${timed}${written}`,
      );
    } catch (error) {
      kept.textContent = "";
      if (!(error instanceof Refused)) throw error;
      say(error.message);
    }
    save.disabled = false;
  }

  /** @param {boolean} goesOn */
  function want(goesOn) {
    const question = settings.question();
    void level(question);
    one.want({ question, goesOn, moved: performance.now() });
  }

  /** Train anew. @param {{isOther?: boolean}} what isOther: it is another text */
  function retrain({ isOther = false }) {
    if (isOther) chart.forget();
    want(false);
  }

  signal.addEventListener("abort", () => one.stop());
  return {
    retrain,
    buttons: h("div", {}, h("div", { class: "row" }, go, halt, onwards, save), kept, about, measured),
    chart: chart.element,
    element: h(
      "div", { class: "shown" },
      result, at, took,
      h("section", { "aria-label": "Samples" }, h("h2", {}, "Samples"), h("p", { class: "quiet" }, "Drawn from the model as it is now; * stands in the text."), samples),
      histograms.element,
    ),
  };
}
