/** Sweeps: the picture of each, and its best trials. */

import { h } from "../dom.js";
import { counted } from "../numbers.js";
import { table } from "../pieces.js";
import { ask } from "../server.js";

/** @typedef {{name: string, picture: string | null, head: string[], trials: string[][], more: number}} Sweep */

/**
 * Make the list of sweeps; each is read when it is opened.
 *
 * @param {(error: unknown) => void} tell
 * @param {AbortSignal} signal
 */
export function sweeps(tell, signal) {
  const element = h("section", { id: "sweeps", "aria-label": "Sweeps" });

  /** @param {string} name */
  function one(name) {
    const place = h("div");
    const details = h("details", {}, h("summary", {}, name), place);
    details.addEventListener("toggle", async () => {
      if (!details.open || place.hasChildNodes()) return;
      try {
        place.append(...shown(await ask("/api/sweep", { sweep: name }, signal)));
      } catch (error) {
        tell(error);
      }
    });
    return details;
  }

  ask("/api/sweeps", {}, signal)
    .then(({ sweeps: names }) => {
      if (names.length) element.append(h("h2", {}, "Sweeps"), ...names.map(one));
    })
    .catch(tell);
  return element;
}

/** @param {Sweep} sweep @returns {Node[]} */
function shown({ name, picture, head, trials, more }) {
  const parts = [];
  if (picture) parts.push(h("img", { src: picture, alt: `${name}: held-out loss against what was varied` }));
  else parts.push(h("p", { class: "quiet" }, "It has no picture yet: microgpt sweep draws it at the end, if matplotlib is installed."));
  if (trials.length) {
    const rest = more ? `; ${counted(more)} more in trials.csv` : "";
    parts.push(table({ caption: `Trials of ${name}, the lowest loss first${rest}`, head, rows: trials }));
  }
  return parts;
}
