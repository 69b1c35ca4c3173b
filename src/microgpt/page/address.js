/** What is on the page is in its address, after the #, so that it can be shared and reloaded. */

/** What is on figures of a page whose address has another use; null: the address says it. @type {URLSearchParams | null} */
let apart = null;

/** Leave the page's address alone from now on. */
export function keepApart() {
  apart = new URLSearchParams();
}

/** @returns {URLSearchParams} */
const read = () => new URLSearchParams(apart ?? location.hash.slice(1));

/**
 * @param {string} name
 * @param {string} [usual] where the address does not say
 */
export const get = (name, usual = "") => read().get(name) ?? usual;

/** @param {string} name */
export const has = (name) => read().has(name);

/**
 * Return the address with some of it changed, from the # on; null leaves a name out.
 *
 * @param {Record<string, string | number | null>} values
 */
export const changed = (values) => `#${merged(values)}`;

/** @param {Record<string, string | number | null>} values */
function merged(values) {
  const all = read();
  for (const [name, value] of Object.entries(values)) {
    if (value === null) all.delete(name);
    else all.set(name, String(value));
  }
  return all;
}

/**
 * Change some of it; the page is not loaded again, and no view is opened.
 *
 * @param {Record<string, string | number | null>} values
 */
export function set(values) {
  if (apart) apart = merged(values);
  else history.replaceState(null, "", changed(values));
}

/**
 * Go to another view or run: the button "back" returns.
 *
 * @param {Record<string, string | number | null>} values
 */
export function go(values) {
  location.hash = changed(values);
}
