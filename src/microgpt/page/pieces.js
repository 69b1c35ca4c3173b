/** Pieces that several views are made of: tables, buttons, fields, characters with their losses. */

import { h, s } from "./dom.js";
import { figures, percent } from "./numbers.js";

/** @typedef {import("./dom.js").Child} Child */

/**
 * Make a button.
 *
 * @param {string} label
 * @param {(event: MouseEvent) => void} onclick
 * @param {import("./dom.js").Properties} [properties]
 */
export const button = (label, onclick, properties = {}) => h("button", { type: "button", onclick, ...properties }, label);

/**
 * Make a table, in a region that scrolls sideways where the page is too narrow.
 *
 * @param {object} given
 * @param {string} given.caption
 * @param {string[]} given.head "" over bars
 * @param {Child[][]} given.rows the first cell of each names it
 * @param {(row: number) => boolean} [given.marked] whether a row stands out
 */
export function table({ caption, head, rows, marked }) {
  const row = (/** @type {Child[]} */ [name, ...cells], /** @type {number} */ i) =>
    h("tr", { class: marked?.(i) && "this" }, h("th", { scope: "row" }, name), ...cells.map((cell) => h("td", {}, cell)));
  return h(
    "div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table", {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, ...head.map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))),
      h("tbody", {}, ...rows.map(row)),
    ),
  );
}

/**
 * Make a slider with its label and its value in words.
 *
 * @param {object} given
 * @param {string} given.label
 * @param {number} given.min
 * @param {number} given.max
 * @param {number} [given.step]
 * @param {number} given.value
 * @param {(value: number) => string} [given.shown]
 * @param {(value: number) => void} given.onInput
 */
export function slider({ label, min, max, step = 1, value, shown = figures, onInput }) {
  const says = h("output", { class: "value" });
  const input = h("input", { type: "range", min, max, step, value, oninput: () => (say(), onInput(Number(input.value))) });
  const say = () => {
    says.textContent = shown(Number(input.value));
    input.setAttribute("aria-valuetext", says.textContent);
  };
  say();
  return {
    element: h("label", { class: "slider" }, h("span", {}, label), input, says),
    get value() {
      return Number(input.value);
    },
    /** @param {number} to without a call of onInput */
    set(to) {
      input.value = String(to);
      say();
    },
  };
}

/**
 * Make a choice among options.
 *
 * @param {object} given
 * @param {string} given.label
 * @param {(string | [string, string])[]} given.options values, or values and what is shown for them
 * @param {string} given.value
 * @param {(value: string) => void} given.onChange
 */
export function choice({ label, options, value, onChange }) {
  const select = h("select", { onchange: () => onChange(select.value) });
  for (const one of options) {
    const [name, words] = typeof one === "string" ? [one, one] : one;
    select.append(h("option", { value: name }, words));
  }
  select.value = value;
  return { element: h("label", { class: "field" }, h("span", {}, label), select), select };
}

/**
 * Make a choice among a few options that are all in sight.
 *
 * @param {object} given
 * @param {string} given.label
 * @param {[string, string][]} given.options values, and what is shown for them
 * @param {string} given.value
 * @param {(value: string) => void} given.onChange
 */
export function segmented({ label, options, value, onChange }) {
  const name = crypto.randomUUID();
  const inputs = options.map(([its]) => h("input", { type: "radio", name, value: its, checked: its === value, onchange: () => onChange(its) }));
  const at = () => inputs.findIndex((one) => one.checked);
  return {
    element: h("fieldset", { class: "segmented" }, h("legend", {}, label), ...inputs.map((one, i) => h("label", {}, one, h("span", {}, options[i][1])))),
    get value() {
      return options[at()][0];
    },
    /** @param {number} by how many options further */
    move(by) {
      const to = Math.min(Math.max(at() + by, 0), inputs.length - 1);
      inputs[to].checked = true;
      onChange(inputs[to].value);
    },
  };
}

/**
 * Make a field of one line.
 *
 * @param {object} given
 * @param {string} given.label
 * @param {string} given.value
 * @param {(value: string) => void} given.onInput
 * @param {import("./dom.js").Properties} [given.properties] of the input
 */
export function field({ label, value, onInput, properties = {} }) {
  const input = h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...properties, oninput: () => onInput(input.value) });
  input.value = value;
  return { element: h("label", { class: "field" }, h("span", {}, label), input), input };
}

/**
 * Make the characters of a text, each with its loss as number and colour; one may be chosen.
 *
 * @param {import("./source.js").Position[]} positions
 * @param {string} label what the list is
 * @param {(i: number) => void} [onChoose]
 */
export function heat(positions, label, onChoose) {
  const inner = (/** @type {import("./source.js").Position} */ one) => [h("b", {}, one.symbol), h("span", {}, figures(one.nats))];
  const said = (/** @type {import("./source.js").Position} */ one) => `${one.symbol}: ${figures(one.nats)} nats, probability ${percent(one.p)}`;
  const items = positions.map((one, i) =>
    onChoose
      ? h("button", { type: "button", class: `s${one.level}`, "aria-pressed": "false", "aria-label": said(one), onclick: () => choose(i) }, ...inner(one))
      : h("span", { class: `position s${one.level}`, title: said(one) }, ...inner(one)),
  );
  /** @param {number} i */
  function choose(i) {
    items.forEach((item, k) => item.setAttribute("aria-pressed", String(i === k)));
    onChoose?.(i);
  }
  return { element: h("ol", { class: "heat", "aria-label": label }, ...items.map((item) => h("li", {}, item))), items, choose };
}

/**
 * Write a whole text so that nothing in it is invisible.
 *
 * @param {string} text
 */
export function shown(text) {
  const escaped = (/** @type {string} */ char) => {
    if (char === "\n") return "\\n";
    if (char === "\t") return "\\t";
    const code = (char.codePointAt(0) ?? 0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  };
  return text ? [...text].map((char) => (char !== " " && /[\p{C}\p{Z}]/u.test(char) ? escaped(char) : char)).join("") : "(empty)";
}

/**
 * Make a bar of a length.
 *
 * @param {number} share of the room it has, from 0 to 1
 */
export function bar(share) {
  const width = `${(100 * Math.min(Math.max(share, 0), 1)).toFixed(1)}%`;
  return s("svg", { class: "bar", "aria-hidden": "true" }, s("rect", { class: "fill", width, height: "100%", rx: 1.5 }));
}
