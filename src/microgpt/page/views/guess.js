/** Guess: a text is hidden, each next token is bet on, and the losses of the bets stand beside the model's. */

import * as address from "../address.js";
import { h } from "../dom.js";
import { begin, place } from "../guess/ask.js";
import { board } from "../guess/board.js";
import { means, standing } from "../guess/standing.js";
import { shares } from "../loss.js";
import { sentence } from "../mistake.js";
import { figures, percent } from "../numbers.js";
import { button, heat, segmented } from "../pieces.js";

/** How sure a bet may be. */
const SURE = ["50", "90", "99", "100"];

/** @type {import("../frame.js").View} */
export const view = {
  name: "guess",
  title: "Guess",
  line: "Be the model: bet on what comes next in a hidden text. Your loss is -log of the share that you put on what comes.",
  open,
};

/** @param {import("../frame.js").Context} context */
function open({ about, say, signal }) {
  /** @type {import("../guess/ask.js").Game | null} */
  let game = null;
  /** @type {ReturnType<typeof board> | null} */
  let letters = null;
  let isBusy = false;
  const what = h("p", { class: "quiet", id: "what" }, "Choosing a text…");
  const so = h("div", { id: "so" });
  const choosing = h("div", {});
  const preview = h("p", { id: "preview" });
  const came = h("p", { id: "came", role: "status" });
  const end = h("p", { id: "end" });
  const stands = standing(about.unit);
  const asked = address.get("sure");
  const sure = segmented({ label: "How sure", options: SURE.map((one) => [one, `${one} %`]), value: SURE.includes(asked) ? asked : "90", onChange: (to) => (address.set({ sure: to }), foresee()) });
  const keep = h("input", { type: "checkbox", checked: address.get("keep") !== "no", onchange: () => (address.set({ keep: keep.checked ? null : "no" }), foresee()) });
  const bet = button("Bet", () => void placed(), { class: "main", id: "bet" });
  const another = button("Another text", () => void begun(Number(address.get("seed")) + 1, ""), { id: "another" });
  const betting = h(
    "div", {}, choosing,
    h("div", { class: "row" }, sure.element, h("label", { class: "field" }, keep, h("span", {}, "Keep 1 % back for everything else"))),
    preview,
  );
  const keys = h("p", { class: "quiet" }, "Keys: type a letter, Enter bets, ↑ ↓ how sure, . the end of the text, Backspace none. Several letters share the bet.");

  /**
   * Begin a game, or go on with one.
   *
   * @param {number} seed of the text
   * @param {string} id
   */
  async function begun(seed, id) {
    const found = await answered(begin(about.run, seed, id, signal));
    if (!found) return;
    address.set({ seed, game: found.game });
    letters = board({ symbols: found.symbols, end: found.end, onChange: foresee, onPlace: () => void placed(), onSurer: (by) => sure.move(by) });
    choosing.replaceChildren(letters.element);
    came.textContent = "";
    show(found);
    if (!document.activeElement || ["BODY", "MAIN"].includes(document.activeElement.tagName) || document.activeElement === another) letters.keys.focus({ preventScroll: true });
  }

  /** Place the bet. */
  async function placed() {
    if (!game || game.text !== null || !letters?.weights.size) return;
    const found = await answered(place(game, { weights: [...letters.weights], sure: Number(sure.value) / 100, keep: keep.checked }, signal));
    if (!found) return;
    letters.clear();
    show(found);
    came.textContent = told(found);
    if (found.text === null) letters.keys.focus({ preventScroll: true });
    else another.focus({ preventScroll: true });
  }

  /**
   * Wait for an answer; one question at a time.
   *
   * @template T
   * @param {Promise<T>} answer
   * @returns {Promise<T | null>}
   */
  async function answered(answer) {
    if (isBusy) return null;
    isBusy = true;
    try {
      const found = await answer;
      if (signal.aborted) return null;
      say("");
      return found;
    } catch (error) {
      if (!signal.aborted) say(sentence(error));
      return null;
    } finally {
      isBusy = false;
    }
  }

  /** @param {import("../guess/ask.js").Game} now */
  function show(now) {
    game = now;
    what.textContent = now.what;
    const positions = now.guessed.map((one) => ({ ...one, nats: one.yours ?? Infinity, p: one.share, unknown: false }));
    const list = heat(positions, "What has come so far, with your losses").element;
    if (now.text === null) list.append(h("li", {}, h("span", { class: "position next" }, h("b", {}, "?"), h("span", {}, "hidden"))));
    so.replaceChildren(list);
    stands.draw(now);
    const isOver = now.text !== null;
    betting.hidden = bet.hidden = keys.hidden = isOver;
    end.replaceChildren(...(isOver ? [verdict(now), " ", button("What it costs the model", () => address.go({ view: "loss", text: now.text, at: 0 }), { class: "plain" })] : []));
    foresee();
  }

  /** Say what the bet will cost. */
  function foresee() {
    if (!game || !letters) return;
    const { symbols } = game;
    const chosen = [...letters.weights];
    bet.disabled = !chosen.length;
    const found = shares(chosen.map(([, weight]) => weight), Number(sure.value) / 100, keep.checked, symbols.length);
    const costs = found.on.map((share, i) => `${symbols[chosen[i][0]]} comes: ${figures(-Math.log(share))} nats`);
    const other = found.rest ? `${figures(-Math.log(found.rest))} nats` : chosen.length < symbols.length ? "your loss is infinite" : "";
    preview.textContent = chosen.length
      ? `If ${costs.slice(0, 4).join("; ")}${costs.length > 4 ? "; …" : ""}.${other && ` If anything else comes: ${other}.`}`
      : "What comes next? Choose a letter, or several.";
  }

  void begun(Math.trunc(Number(address.get("seed"))) || 1 + Math.floor(Math.random() * 1e6), address.get("game"));
  return h(
    "div", { class: "columns" },
    h("section", { "aria-labelledby": "guess-title" }, h("h2", { id: "guess-title" }, "What comes next?"), what, so, betting, h("div", { class: "row" }, bet, another), came, end, keys),
    h("section", { "aria-labelledby": "stands-title" }, h("h2", { id: "stands-title" }, "Your loss beside the model's"), stands.element),
  );
}

/**
 * Say what came, and what it cost.
 *
 * @param {import("../guess/ask.js").Game} game
 */
function told({ guessed, symbols, end, counts, blind }) {
  const one = guessed[guessed.length - 1];
  const own = one.yours === null
    ? "You were certain that it could not come: your loss is infinite, and so is every mean with it."
    : `You had ${percent(one.share)} on it: ${figures(one.yours)} nats.`;
  const others = one.counts === null ? "" : `; ${counts}: ${figures(one.counts)}`;
  const likely = one.likely.map(([symbol, p]) => `${symbol} ${percent(p)}`).join(", ");
  return `It was ${one.symbol}${one.symbol === symbols[end] ? ", the end" : ""}. ${own} The model gave it ${percent(Math.exp(-one.model))}: ${figures(one.model)}${others}; blind guessing: ${figures(blind)}. The model's likeliest were ${likely}.`;
}

/**
 * Say how a game ended.
 *
 * @param {import("../guess/ask.js").Game} game
 */
function verdict(game) {
  const [you, ...others] = means(game);
  const name = (/** @type {string} */ its) => (its === "this model" ? "the model" : its === "blind guessing" ? its : `the ${its}`);
  const listed = (/** @type {string} */ words, /** @type {(mean: number) => boolean} */ which) => {
    const names = others.filter((one) => which(one.mean)).map((one) => name(one.name));
    return names.length ? [`${words} ${[names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ")}`] : [];
  };
  const parts = [...listed("less than", (mean) => you.mean < mean), ...listed("as much as", (mean) => you.mean === mean), ...listed("more than", (mean) => you.mean > mean)];
  const infinite = "One share of 0 on what came is enough: no later bet makes up for it. That is why a model never says never.";
  return `The whole text is out. Your mean is ${figures(you.mean)} nats: ${parts.join(", but ")}.${Number.isFinite(you.mean) ? "" : ` ${infinite}`}`;
}
