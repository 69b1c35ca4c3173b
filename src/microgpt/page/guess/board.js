/** The board of a bet: a button a token, chosen by mouse, by touch or by typing; how much lies on each. */

import { h } from "../dom.js";
import { button, field } from "../pieces.js";

/** The most buttons; of more tokens those that a word begins are shown. */
const BUTTONS = 100;

/**
 * @param {object} given
 * @param {string[]} given.symbols of all tokens
 * @param {number} given.end the token that ends a text
 * @param {() => void} given.onChange the weights have changed
 * @param {() => void} given.onPlace Enter was pressed
 * @param {(by: number) => void} given.onSurer an arrow up (1) or down (-1) was pressed
 */
export function board({ symbols, end, onChange, onPlace, onSurer }) {
  /** @type {Map<number, number>} */
  const weights = new Map();
  const order = symbols.map((_, id) => id).sort((a, b) => rank(symbols[a]) - rank(symbols[b]) || (symbols[a] < symbols[b] ? -1 : 1));
  const ids = new Map(order.filter((id) => id !== end).map((id) => [symbols[id], id]));
  const buttons = new Map(order.map((id) => [id, letter(id)]));
  const letters = h("div", { class: "letters" });
  const stakes = h("ul", { class: "stakes" });
  const find = symbols.length > BUTTONS && field({ label: "Tokens that begin with", value: "", onInput: list });
  const keys = h(
    "div", { class: "board", id: "board", tabindex: 0, role: "group", "aria-label": "Bet on what comes next: type it, then press Enter", onkeydown: onKey },
    letters,
  );

  /** @param {number} id */
  function letter(id) {
    const words = id === end ? [`${symbols[id]} end`] : [symbols[id]];
    return h("button", { type: "button", "aria-pressed": "false", onclick: () => toggle(id) }, ...words);
  }

  /** Show the buttons that there is room for. @param {string} [start] */
  function list(start = "") {
    const found = order.filter((id) => id !== end && symbols[id].startsWith(start.replaceAll(" ", "␣"))).slice(0, BUTTONS - 1);
    letters.replaceChildren(...[...found, end].map((id) => /** @type {HTMLElement} */ (buttons.get(id))));
  }

  /** @param {number} id */
  function toggle(id) {
    if (!weights.delete(id)) weights.set(id, 1);
    changed();
  }

  function changed() {
    for (const [id, its] of buttons) its.setAttribute("aria-pressed", String(weights.has(id)));
    const more = (/** @type {number} */ id, /** @type {number} */ by) => () => {
      weights.set(id, Math.min(Math.max((weights.get(id) ?? 1) + by, 1), 9));
      changed();
      // The buttons were made anew; the hand stays where it was.
      /** @type {HTMLElement | null} */ (stakes.querySelector(`[data-of="${id}${by}"]`))?.focus();
    };
    const one = (/** @type {number} */ id, /** @type {number} */ weight) =>
      h("li", {}, h("b", {}, symbols[id]), ` × ${weight} `,
        button("−", more(id, -1), { "aria-label": `Less on ${symbols[id]}`, "data-of": `${id}-1` }),
        button("+", more(id, 1), { "aria-label": `More on ${symbols[id]}`, "data-of": `${id}1` }));
    stakes.replaceChildren(...(weights.size > 1 ? [...weights].map(([id, weight]) => one(id, weight)) : []));
    onChange();
  }

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const isFree = target.getAttribute("aria-pressed") === "false"; // a button that Enter chooses
    const { key } = event;
    if (key === "Enter" && !isFree) onPlace();
    else if (key === "ArrowUp" || key === "ArrowDown") onSurer(key === "ArrowUp" ? 1 : -1);
    else if (key === "Backspace") clear();
    else if (key === " " && target !== keys) return;
    else {
      const typed = key === " " ? "␣" : key;
      const id = ids.get(typed) ?? ids.get(typed.toLowerCase()) ?? ids.get(typed.toUpperCase()) ?? (key === "End" || key === "." ? end : undefined);
      if (id === undefined) return;
      toggle(id);
    }
    event.preventDefault();
  }

  function clear() {
    weights.clear();
    changed();
  }

  list();
  return { element: h("div", {}, find && find.element, keys, stakes), keys, weights, clear };
}

/**
 * Where a symbol stands: letters, digits, the space, other characters, tokens of several.
 *
 * @param {string} symbol
 */
const rank = (symbol) => (/^\p{L}$/u.test(symbol) ? 0 : /^\p{N}$/u.test(symbol) ? 1 : symbol === "␣" ? 2 : /^.$/u.test(symbol) ? 3 : 4);
