/**
 * The loss, where a hand that moves something must be answered within a frame; a test compares it with the
 * package's own.
 */

import * as operations from "./model/operations.js";

/**
 * -log softmax(logits)[target], and the pieces that it is made of. The largest logit is subtracted first.
 *
 * @param {number[]} logits
 * @param {number} target
 * @param {number | null} [rest] the log-sum-exp of logits that are not listed
 */
export function crossEntropy(logits, target, rest = null) {
  const all = rest === null ? logits : [...logits, rest];
  const largest = operations.largest(all);
  const shifted = logits.map((z) => z - largest);
  const exps = shifted.map(Math.exp);
  const total = exps.reduce((sum, e) => sum + e, 0) + (rest === null ? 0 : Math.exp(rest - largest));
  return { largest, shifted, exps, total, p: exps.map((e) => e / total), nats: operations.crossEntropy(all, target) };
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

/** The share of a bet that is kept back for tokens that were not bet on. */
const BACK = 0.01;

/**
 * The shares of a bet: of each token that is bet on, and of each other token.
 *
 * @param {number[]} weights
 * @param {number} sure the share of all of these together
 * @param {boolean} keep whether a hundredth stays for the others, however sure the bet is
 * @param {number} size how many tokens there are
 */
export function shares(weights, sure, keep, size) {
  const others = size - weights.length;
  const together = others ? (keep ? Math.min(sure, 1 - BACK) : sure) : 1;
  const total = weights.reduce((a, b) => a + b, 0);
  return { on: weights.map((weight) => (together * weight) / total), rest: others ? (1 - together) / others : 0 };
}
