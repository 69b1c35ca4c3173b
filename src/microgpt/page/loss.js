/**
 * The loss, where a hand that moves something must be answered within a frame; a test compares it with the
 * package's own.
 */

/**
 * -log softmax(logits)[target], and the pieces that it is made of. The largest logit is subtracted first.
 *
 * @param {number[]} logits
 * @param {number} target
 * @param {number | null} [rest] the log-sum-exp of logits that are not listed
 */
export function crossEntropy(logits, target, rest = null) {
  const largest = Math.max(...logits, rest ?? -Infinity);
  const shifted = logits.map((z) => z - largest);
  const exps = shifted.map(Math.exp);
  const total = exps.reduce((sum, e) => sum + e, 0) + (rest === null ? 0 : Math.exp(rest - largest));
  return { largest, shifted, exps, total, p: exps.map((e) => e / total), nats: Math.log(total) - shifted[target] };
}

/**
 * What training may minimise: its value, and its slope on the target's logit, both as functions of p[target].
 * The slope is w(p) (p - 1), with w(p) = -p d value / d p.
 *
 * @type {{name: string, value: (p: number) => number, slope: (p: number) => number}[]}
 */
export const OBJECTIVES = [
  { name: "-log p", value: (p) => -Math.log(p), slope: (p) => p - 1 },
  { name: "1 - p", value: (p) => 1 - p, slope: (p) => p * (p - 1) },
  { name: "(1 - p)²", value: (p) => (1 - p) ** 2, slope: (p) => 2 * p * (1 - p) * (p - 1) },
];
