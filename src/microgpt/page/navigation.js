/** The navigation: a link for each view, which keeps what the address says beside. */

import * as address from "./address.js";
import { h } from "./dom.js";

/** @typedef {import("./frame.js").View} View */

/**
 * Show the links, the title of the page and the line of a view.
 *
 * @param {View[]} views
 * @param {View} current
 * @param {string} page its name
 */
export function navigate(views, current, page) {
  const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
  document.title = `${current.title} · ${page}`;
  byId("line").textContent = current.line;
  byId("views").replaceChildren(
    ...views.map((one) => h("a", { href: address.changed({ view: one.name }), "aria-current": one === current && "page", onclick: to(one.name) }, one.title)),
  );
}

/** @param {string} name of a view */
const to = (name) => (/** @type {MouseEvent} */ event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab
  event.preventDefault();
  address.go({ view: name });
  document.getElementById("view")?.focus();
};

/** Let the link past the navigation keep the address, which has what is on the page. */
export function skip() {
  document.querySelector(".skip")?.addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("view")?.focus();
  });
}
