/**
 * The settings of a draft: the preset's, and what differs from them, which is in the address.
 *
 * @typedef {object} Preset
 * @property {string} name
 * @property {string} summary
 * @property {number} n_embd
 * @property {number} n_layer
 * @property {number} lr
 * @property {number} batch_size
 * @property {string} loss
 * @property {number} steps
 *
 * @typedef {"n_embd" | "n_layer" | "lr" | "batch_size" | "loss" | "seed" | "steps" | "seconds"} Name
 */

import * as address from "../address.js";

/** The names in the address. @type {[Name, string][]} */
const NAMES = [
  ["n_embd", "width"], ["n_layer", "layers"], ["lr", "lr"], ["batch_size", "batch"],
  ["loss", "objective"], ["seed", "seed"], ["steps", "steps"], ["seconds", "seconds"],
];
const SEED = 42;

/** @param {Preset[]} presets */
export function settings(presets) {
  const named = (/** @type {string} */ name) => presets.find((one) => one.name === name) ?? presets[0];
  let preset = named(address.get("preset", presets[0].name));

  /** Return what differs from the preset: numbers that are none are left out. @returns {Record<string, any>} */
  function changed() {
    /** @type {Record<string, any>} */
    const found = {};
    for (const [name, short] of NAMES) {
      const said = address.get(short);
      const value = name === "loss" ? said : Number(said);
      if (said && (name === "loss" || Number.isFinite(value))) found[name] = value;
    }
    return found;
  }

  return {
    get preset() {
      return preset;
    },
    /** Return all, as the controls show them; seconds are undefined where the budget is in steps. @returns {Record<string, any>} */
    all() {
      return { ...preset, seed: SEED, ...changed() };
    },
    /** Return the question of a draft. @returns {Record<string, any>} */
    question() {
      return { ...read(), preset: preset.name, ...changed() };
    },
    /** Choose a preset: all settings become its own. @param {string} name */
    choose(name) {
      preset = named(name);
      address.set({ ...Object.fromEntries(NAMES.map(([, short]) => [short, null])), preset: name });
    },
    /** Change one. @param {Name} name @param {number | string | null} value */
    set(name, value) {
      const own = /** @type {Record<string, any>} */ ({ ...preset, seed: SEED });
      const short = /** @type {[Name, string]} */ (NAMES.find(([one]) => one === name))[1];
      address.set({ [short]: value === own[name] ? null : value });
    },
  };
}

/**
 * Return which text the address names, and how it is read.
 *
 * @returns {{text: string, read_as: import("../upload.js").ReadAs}}
 */
export function read() {
  /** @type {import("../upload.js").ReadAs} */
  const how = {};
  if (address.get("column")) how.column = address.get("column");
  if (address.get("field")) how.field = address.get("field");
  if (address.get("stream")) how.stream = true;
  return { text: address.get("data", "names"), read_as: how };
}
