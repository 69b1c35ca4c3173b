/** The studio's page: the choice of a view and of a run. */

import * as address from "./address.js";
import { h } from "./dom.js";
import { navigate, skip } from "./navigation.js";
import { counted, figures } from "./numbers.js";
import * as server from "./server.js";
import { VIEWS } from "./views.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const choice = /** @type {HTMLSelectElement} */ (byId("run"));
const [about, main, status] = ["about", "view", "status"].map(byId);

/** Ends what the view that is shown has begun. */
let leave = new AbortController();

/** @param {string} sentence */
const say = (sentence) => (status.textContent = sentence);

/** Show the view and the run that the address names. */
async function show() {
  leave.abort();
  const mine = (leave = new AbortController());
  say("");
  /** @type {string[]} */
  let names;
  try {
    names = await server.runs();
  } catch (error) {
    return mine.signal.aborted ? undefined : refused(error);
  }
  if (mine.signal.aborted) return;
  // Without a run there is one thing to do: train.
  const first = names.length ? VIEWS[0] : VIEWS.find((one) => one.needsRun === false);
  const view = /** @type {import("./frame.js").View} */ (VIEWS.find((one) => one.name === address.get("view")) ?? first);
  navigate(VIEWS, view, "microgpt studio");
  try {
    const asked = address.get("run", names[0]);
    const run = names.includes(asked) ? asked : names[0];
    choice.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    choice.value = run ?? "";
    /** @type {HTMLElement} */ (choice.parentElement).hidden = view.needsRun === false || !run;
    if (view.needsRun !== false && !run) {
      main.replaceChildren();
      say("There is no run yet. Choose Train above, or train one in the terminal: microgpt train.");
      return;
    }
    const found = view.needsRun === false ? null : await server.about(run, mine.signal);
    if (mine.signal.aborted) return;
    about.textContent = found ? described(found) : "";
    const context = { about: found, source: found && server.source(run), say, signal: mine.signal };
    main.replaceChildren(view.open(/** @type {import("./frame.js").Context} */ (context)));
  } catch (error) {
    if (!mine.signal.aborted) refused(error);
  }
}

/** @param {unknown} error */
function refused(error) {
  about.textContent = "";
  main.replaceChildren();
  if (!(error instanceof server.Refused)) throw error;
  say(error.message);
}

/** @param {import("./source.js").About} run */
function described(run) {
  const loss = run.held_out === null ? "" : ` Held-out loss: ${figures(run.held_out)} nats a ${run.unit}; a blind guess costs ${figures(run.blind)}.`;
  return `${counted(run.documents)} documents, ${counted(run.steps)} steps, ${counted(run.parameters)} parameters${run.mixed ? ", mixed with counts" : ""}.${loss}`;
}

skip();
choice.addEventListener("change", () => address.go({ run: choice.value }));
addEventListener("hashchange", () => void show());
void show();
