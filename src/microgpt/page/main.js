/** The page of the studio: the choice of a run, and the view of its loss. */

import * as address from "./address.js";
import { h } from "./dom.js";
import { figures } from "./numbers.js";
import * as server from "./server.js";
import { curve } from "./views/curve.js";
import { text } from "./views/text.js";

const choice = /** @type {HTMLSelectElement} */ (document.getElementById("run"));
const about = /** @type {HTMLElement} */ (document.getElementById("about"));
const view = /** @type {HTMLElement} */ (document.getElementById("view"));
const status = /** @type {HTMLElement} */ (document.getElementById("status"));

/** @param {string} sentence */
const say = (sentence) => (status.textContent = sentence);

/** @param {string} run */
async function open(run) {
  say("");
  try {
    const found = await server.about(run);
    if (choice.value !== run) return; // another was chosen meanwhile
    const loss = found.held_out === null ? "" : ` Held-out loss: ${figures(found.held_out)} nats a ${found.unit}; a blind guess costs ${figures(found.blind)}.`;
    about.textContent = `${found.documents.toLocaleString("en")} documents, ${found.steps.toLocaleString("en")} steps, ${found.parameters.toLocaleString("en")} parameters${found.mixed ? ", mixed with counts" : ""}.${loss}`;
    view.replaceChildren(text(found, say), curve(found));
  } catch (error) {
    about.textContent = "";
    view.replaceChildren();
    say(error instanceof Error ? error.message : String(error));
  }
}

async function begin() {
  try {
    const names = await server.runs();
    if (!names.length) {
      say("There is no run yet. Train one in the terminal: microgpt train. Then reload this page.");
      return;
    }
    choice.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    const asked = address.get("run", names[0]);
    choice.value = names.includes(asked) ? asked : names[0];
    choice.addEventListener("change", () => {
      address.set({ run: choice.value });
      void open(choice.value);
    });
    await open(choice.value);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

void begin();
