/** One step of training, a phase at a time; then again and again, until it is the training curve. */

import * as address from "../address.js";
import { plot } from "../chart/plot.js";
import { h } from "../dom.js";
import { sentence } from "../mistake.js";
import { counted, figures } from "../numbers.js";
import { button, choice, field, slider } from "../pieces.js";
import { ask, stream } from "../server.js";
import { backward, forward, loss, updated } from "../step/panels.js";

/** @typedef {import("../step/panels.js").Look} Look */
/** @typedef {import("../step/panels.js").Update} Update */
/** @typedef {{updates: number, loss: number, others: number}} Watched */

const PHASES = /** @type {const} */ (["Forward", "Loss", "Backward", "Update"]);
const PROMISES = [
  "The probability of each next token.", "What each of them costs.",
  "Which way each logit should move, and how strongly each matrix is pulled.", "The parameters move. Does it help?",
];

/** This page among those that the server keeps copies of models for. */
const page = crypto.randomUUID();

/** @type {import("../frame.js").View} */
export const view = {
  name: "step",
  title: "One step",
  line: "One update of the model on one document, a phase at a time. It is a copy in memory: the run stays as it is.",
  open,
};

/** @param {import("../frame.js").Context} context */
function open({ about, say, signal }) {
  /** @type {Look | null} */
  let look = null;
  let done = 0;
  let busy = false;
  let turn = 0;
  /** @type {Watched[]} */
  let curve = [];

  const { element: text, input } = field({ label: "Document", value: address.get("text"), properties: { class: "text", maxlength: 200, id: "document" }, onInput: changed });
  const rate = slider({
    label: "Learning rate", min: -5, max: 0, step: 0.05, value: -2, shown: (x) => figures(10 ** x), onInput: (x) => address.set({ lr: (10 ** x).toPrecision(3) }),
  });
  const own = choice({
    label: "Train on", options: [["document", "this document"], ["own", "the run's documents"]], value: address.get("on", "document"),
    onChange: (on) => address.set({ on }),
  });
  const buttons = PHASES.map((name, i) => button(`${i + 1} ${name}`, () => press(i)));
  const again = [1, 10, 1000].map((times) => button(times === 1 ? "Again" : `${counted(times)} times`, () => many(times)));
  const over = button("Start over", () => begin(true));
  const panels = PHASES.map((name, i) => h("section", { "aria-label": name }, h("h2", {}, `${i + 1} ${name}`), h("p", { class: "quiet" }, PROMISES[i])));
  const course = h("section", { "aria-label": "Course", hidden: true });
  const grid = h("div", { class: "phases" });
  const chart = plot(drawn());
  course.append(h("h2", {}, "Again and again: a training curve"), chart.element);

  function drawn() {
    return {
      title: "Loss after each update", whole: true, x: "updates of the copy", y: "nats a position",
      curves: [
        { name: "this document", kind: "one", points: curve.map((one) => /** @type {[number, number]} */ ([one.updates, one.loss])) },
        { name: "others", kind: "two", points: curve.map((one) => /** @type {[number, number]} */ ([one.updates, one.others])) },
      ],
      levels: [{ name: `blind ${figures(about.blind)}`, y: about.blind }],
    };
  }

  /** Enable what can be pressed now. */
  function enable() {
    buttons.forEach((one, i) => {
      one.disabled = busy || !look || i !== done % 4;
      one.classList.toggle("main", i === done % 4);
    });
    for (const one of [...again, over]) one.disabled = busy || !look;
  }

  /**
   * Do something that asks the server, while no button can be pressed.
   *
   * @param {() => Promise<void>} what
   */
  async function during(what) {
    const mine = ++turn;
    busy = true;
    enable();
    try {
      await what();
      if (mine === turn && !signal.aborted) say("");
    } catch (error) {
      if (mine !== turn || signal.aborted) return;
      look = null;
      say(sentence(error));
    }
    if (mine !== turn) return; // another text was typed meanwhile
    busy = false;
    enable();
    over.disabled = false;
  }

  const question = () => ({ page, run: about.run, text: input.value, lr: 10 ** rate.value });

  /** @param {boolean} fresh whether to take a new copy of the run's model */
  async function begin(fresh) {
    await during(async () => {
      const mine = turn;
      const isFirst = !look && !input.value && !address.get("text");
      const found = /** @type {Look} */ (await ask("/api/step/look", { page, run: about.run, text: isFirst ? null : input.value, again: fresh }, signal));
      if (mine !== turn) return;
      look = found;
      if (isFirst) input.value = look.text;
      done = 0;
      panels.forEach((panel) => shown(panel, null));
      if (fresh) {
        forget();
        rate.set(Math.log10(Number(address.get("lr")) || look.lr));
      }
    });
  }

  /** @param {HTMLElement} panel @param {Node[] | null} content */
  function shown(panel, content) {
    const i = panels.indexOf(panel);
    panel.classList.toggle("done", content !== null);
    panel.replaceChildren(/** @type {Node} */ (panel.firstChild), ...(content ?? [h("p", { class: "quiet" }, PROMISES[i])]));
  }

  /** @param {number} phase */
  async function press(phase) {
    if (!look) return;
    if (phase === 0) for (const panel of panels.slice(1)) shown(panel, null);
    if (phase < 3) {
      shown(panels[phase], [forward, loss, backward][phase](look));
      done = phase + 1;
      enable();
    } else await update();
    if (!signal.aborted) buttons[done % 4].focus();
  }

  async function update() {
    await during(async () => {
      const found = /** @type {Update} */ (await ask("/api/step/update", question(), signal));
      shown(panels[3], updated(found));
      if (!curve.length) add({ updates: found.made - 1, loss: found.before, others: found.others.before });
      add({ updates: found.made, loss: found.after, others: found.others.after });
      look = /** @type {Look} */ (await ask("/api/step/look", question(), signal));
      done = 4;
    });
  }

  /** @param {number} times */
  async function many(times) {
    if (times === 1 && own.select.value === "document") {
      if (look) for (const [i, panel] of [forward, loss, backward].entries()) shown(panels[i], panel(look));
      return update();
    }
    await during(async () => {
      await stream("/api/step/many", { ...question(), times, own: own.select.value === "own" }, add, signal);
      look = /** @type {Look} */ (await ask("/api/step/look", question(), signal));
      panels.forEach((panel, i) => shown(panel, i < 3 && look ? [forward, loss, backward][i](look) : null));
      done = 3;
    });
  }

  /** @param {Watched} one */
  function add(one) {
    if (curve[curve.length - 1]?.updates !== one.updates) curve.push(one);
    if (course.hidden) {
      course.hidden = false;
      grid.replaceChildren(course, panels[3], ...panels.slice(0, 3)); // beside each other: what is done, and what it does
    }
    chart.draw(drawn());
  }

  /** Forget the curve: the document or the model is another one. */
  function forget() {
    curve = [];
    course.hidden = true;
    grid.replaceChildren(...panels, course);
  }

  function changed() {
    address.set({ text: input.value });
    forget();
    void begin(false);
  }

  buttons.forEach((one, i) => one.setAttribute("aria-keyshortcuts", String(i + 1)));

  /** @param {KeyboardEvent} event Only while a button here has the focus: elsewhere a digit is text. */
  function key(event) {
    const one = event.ctrlKey || event.altKey || event.metaKey ? undefined : buttons[Number(event.key) - 1];
    if (one && event.target instanceof HTMLButtonElement) one.click();
  }

  enable();
  void begin(true);
  return h(
    "div", {},
    h("div", { class: "row" }, text, rate.element),
    h("div", { class: "row", onkeydown: key }, ...buttons, ...again, own.element, over),
    grid,
  );
}
