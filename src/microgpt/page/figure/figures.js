/**
 * The figures of the docs, by name: views of the studio, or parts of them, of what the page holds.
 *
 * @typedef {object} Held What other scripts of the page have put there.
 * @property {import("../model/model.js").Written & {about: import("../source.js").About, symbols: string[]}} model
 * @property {import("../inside/kept.js").Graphs} graphs
 *
 * @typedef {Pick<import("../frame.js").Context, "say" | "signal"> & {held: Held}} Given
 * @typedef {{title: string, open: (given: Given) => HTMLElement | Promise<HTMLElement>}} Figure
 */

import { h } from "../dom.js";
import { attention } from "../inside/attention.js";
import { graph } from "../inside/graph.js";
import { kept } from "../inside/kept.js";
import { sentence } from "../mistake.js";
import { heads } from "../model/heads.js";
import { Model } from "../model/model.js";
import { source } from "../model/source.js";
import { counted, figures } from "../numbers.js";
import { field, shown } from "../pieces.js";
import { sampling } from "../sample/drawing.js";
import { view } from "../views/curve.js";

/** How many samples. */
const NUMBER = 8;

/** @type {Record<string, Figure>} */
export const FIGURES = {
  curve: { title: "The loss of one prediction: drag the point", open: (given) => withModel(given, view.open(context(given))) },
  temperature: { title: "What a model draws from", open: temperature },
  attention: { title: "Where each head of a model looks", open: looking },
  graph: {
    title: "The graph of one loss",
    open: async ({ held: { graphs }, say, signal }) =>
      h("div", {}, await graph({ inside: kept(graphs), text: graphs.text, say, signal }), h("p", { class: "quiet" }, `A model of width 4, small enough for its whole graph to be in this page. It reads ${shown(graphs.text)}.`)),
  },
};

/** @param {Given} given @returns {import("../frame.js").Context} */
const context = ({ held: { model }, say, signal }) => ({
  about: model.about, source: source(new Model(model), model.symbols, { what: "", rungs: [] }), say, signal,
});

/** @param {Given} given */
function temperature(given) {
  const { from, samples } = sampling(context(given), NUMBER, {});
  return withModel(given, h("div", { class: "columns" }, from, samples));
}

/** @param {Given} given */
function looking(given) {
  const { held: { model }, say, signal } = given;
  const inside = heads(new Model(model), model.symbols);
  const body = h("div");
  const text = field({ label: "Text", value: "emma", properties: { class: "text", maxlength: 200 }, onInput: () => void show() });

  async function show() {
    try {
      body.replaceChildren(await attention({ inside, text: text.input.value, say, signal }));
    } catch (error) {
      say(sentence(error));
    }
  }

  void show();
  return withModel(given, h("div", {}, h("div", { class: "row" }, text.element), body));
}

/** @param {Given} given @param {HTMLElement} figure */
function withModel({ held: { model: { about } } }, figure) {
  const loss = about.held_out === null ? "" : `, held-out loss ${figures(about.held_out)} nats a ${about.unit}`;
  return h("div", {}, figure, h("p", { class: "quiet" }, `The model: ${counted(about.parameters)} parameters, trained by microgpt train, ${counted(about.steps)} steps${loss}. It computes in this page.`));
}
