/**
 * The page that stands alone: a model, and views of it; nothing is asked of a network.
 */

import { Model } from "../model/model.js";
import { documentsView } from "./documents.js";
import { byId } from "./elements.js";
import { samplesView } from "./samples.js";
import { textView } from "./text.js";

/**
 * @typedef {object} Page What the file holds beside the model.
 * @property {string} unit
 * @property {import("./documents.js").Document[]} documents
 */

/** @type {import("../model/model.js").Written & Page} */
const data = JSON.parse(byId("data").textContent ?? "");
export const model = new Model(data);
const open = textView(model, data.unit);
samplesView(model, data.unit, open);
documentsView(data.documents, open);
// For programs, and for whoever opens the console: microgpt.score("emma").
Object.assign(globalThis, { microgpt: model });
