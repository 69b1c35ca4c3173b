/** What is on the page is in its address, after the #, so that it can be shared and reloaded. */

/** @returns {URLSearchParams} */
const read = () => new URLSearchParams(location.hash.slice(1));

/**
 * @param {string} name
 * @param {string} [usual] where the address does not say
 */
export const get = (name, usual = "") => read().get(name) ?? usual;

/**
 * Change some of it; the page is not loaded again.
 *
 * @param {Record<string, string | number>} values
 */
export function set(values) {
  const all = read();
  for (const [name, value] of Object.entries(values)) all.set(name, String(value));
  history.replaceState(null, "", `#${all}`);
}
