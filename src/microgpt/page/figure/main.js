/**
 * Open the figures of a page of the docs, each where an element names it.
 *
 * A figure has a shadow root: neither its style nor its ids meet those of the page.
 */

import { keepApart } from "../address.js";
import { h } from "../dom.js";
import { FIGURES } from "./figures.js";

/** @typedef {import("./figures.js").Held} Held */

const own = /** @type {HTMLScriptElement} */ (document.currentScript).src;
const held = /** @type {{microgptFigures: Held}} */ (/** @type {unknown} */ (globalThis)).microgptFigures;
const system = matchMedia("(prefers-color-scheme: dark)");

/** Show a figure. @param {HTMLElement} place */
async function open(place) {
  const { title, open } = FIGURES[place.dataset.figure ?? ""];
  const status = h("p", { role: "status" });
  const frame = h("section", { class: "microgpt card", "aria-label": `Live figure: ${title}` }, h("p", { class: "title" }, title));
  place.attachShadow({ mode: "open" }).append(h("link", { rel: "stylesheet", href: new URL("figures.css", own).href }), frame);
  // What is typed here is no shortcut of the page.
  place.addEventListener("keydown", (event) => event.stopPropagation());
  const paint = () => (frame.dataset.scheme = scheme());
  system.addEventListener("change", paint);
  new MutationObserver(paint).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  paint();
  frame.append(await open({ held, say: (sentence) => void (status.textContent = sentence), signal: new AbortController().signal }), status);
}

/** @returns {string} what the page shows: a reader may have chosen other than the system */
function scheme() {
  const chosen = document.body.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : system.matches ? "dark" : "light";
}

keepApart();
for (const place of document.querySelectorAll("[data-figure]")) void open(/** @type {HTMLElement} */ (place));
