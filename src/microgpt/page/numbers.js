/** How numbers are written. */

/**
 * Nats and the like: two decimals, more where the number is small.
 *
 * @param {number} x
 */
export function figures(x) {
  if (!Number.isFinite(x)) return x > 0 ? "∞" : x < 0 ? "-∞" : "?";
  if (x === 0) return "0";
  return Math.abs(x) >= 0.1 ? x.toFixed(2) : x.toPrecision(2).replace("e", " e");
}

/**
 * A probability, in per cent.
 *
 * @param {number} p
 */
export function percent(p) {
  const x = 100 * p;
  if (x === 0) return "0 %";
  return `${x >= 10 ? x.toFixed(0) : x >= 1 ? x.toFixed(1) : x >= 0.0001 ? x.toPrecision(1) : x.toExponential(0)} %`;
}

/**
 * A number of things, with commas.
 *
 * @param {number} n
 */
export const counted = (n) => n.toLocaleString("en");
