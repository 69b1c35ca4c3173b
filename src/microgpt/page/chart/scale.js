/** Scales of charts: where a value is drawn, and which round values have a line. */

/**
 * Return a function from values to places.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} from where `low` is drawn
 * @param {number} to where `high` is drawn
 * @param {boolean} [log] whether equal ratios, not differences, are equally far apart
 */
export function scale(low, high, from, to, log = false) {
  if (log) {
    const span = Math.log(high / low) || 1;
    return (/** @type {number} */ x) => from + (Math.log(x / low) / span) * (to - from);
  }
  const span = high - low || 1;
  return (/** @type {number} */ x) => from + ((x - low) / span) * (to - from);
}

/**
 * Return round numbers from low to high, evenly spaced.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} [most] how many
 */
export function ticks(low, high, most = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (/** @type {number} */ ([1, 2, 5, 10].find((m) => (high - low) / (m * power) <= most)));
  const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/**
 * Return the powers of ten from low to high.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} [most] how many
 */
export function powers(low, high, most = 6) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const every = Math.ceil((last - first + 1) / most);
  return Array.from({ length: last - first + 1 }, (_, i) => Number((10 ** (first + i)).toPrecision(1))).filter((_, i) => i % every === 0);
}

/**
 * Move places apart, so that labels there do not overlap; their order is kept.
 *
 * @param {number[]} places
 * @param {number} least the distance between two
 * @param {number} top
 * @param {number} bottom
 */
export function apart(places, least, top, bottom) {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  const moved = [...places];
  let free = top;
  for (const i of order) free = (moved[i] = Math.max(moved[i], free)) + least;
  free = bottom;
  for (const i of order.reverse()) free = (moved[i] = Math.min(moved[i], free)) - least;
  return moved;
}
