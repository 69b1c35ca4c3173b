/**
 * The page that stands alone: a model, and the studio's views of it; nothing is asked of a network.
 */

import * as address from "../address.js";
import { Model } from "../model/model.js";
import { source } from "../model/source.js";
import { navigate, skip } from "../navigation.js";
import { marked } from "../source.js";
import { view as curve } from "../views/curve.js";
import { view as loss } from "../views/loss.js";
import { view as sample } from "../views/sample.js";
import { documentsView } from "./documents.js";

/**
 * @typedef {object} Page What the file holds beside the model.
 * @property {import("../source.js").About} about
 * @property {string[]} symbols what is shown for each token
 * @property {string} first a text to begin with
 * @property {import("./documents.js").Document[]} documents
 * @property {import("../source.js").Marks} measured it and the models that it is compared with
 */

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @type {import("../model/model.js").Written & Page} */
const data = JSON.parse(byId("data").textContent ?? "");
export const model = new Model(data);
const answers = source(model, data.symbols, marked(data.measured));
const good = byId("good");

/** @type {import("../frame.js").View[]} */
const views = [
  loss,
  curve,
  sample,
  ...(data.documents.length ? [documentsView(data.documents)] : []),
  { name: "good", title: "How good it is", line: "What it was trained on, and how it compares with models that only count.", open: () => good },
];

/** Ends what the view that is shown has begun. */
let leave = new AbortController();

function show() {
  leave.abort();
  leave = new AbortController();
  say("");
  const view = views.find((one) => one.name === address.get("view")) ?? loss;
  navigate(views, view, data.about.run);
  byId("view").replaceChildren(view.open({ about: data.about, source: answers, say, signal: leave.signal }));
}

/** @param {string} sentence */
const say = (sentence) => void (byId("status").textContent = sentence);

if (!address.get("text")) address.set({ text: data.first });
skip();
addEventListener("hashchange", show);
show();
// For programs, and for whoever opens the console: microgpt.score("emma").
Object.assign(globalThis, { microgpt: model });
