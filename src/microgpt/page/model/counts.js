/**
 * The n-gram model: interpolated Kneser-Ney smoothing, as `microgpt.counting.ngram` defines it.
 *
 * In: the n-grams of each length and their counts. Out: the probabilities of the next token.
 *
 * An n-gram is known by the one without its first token, and that token: so no number grows with n.
 * A context (the tokens that precede the last one) is known likewise.
 */

/** @typedef {{total: number, targets: number[], counts: number[]}} Context What followed a context. */
/**
 * @typedef {object} Order N-grams of one length, sorted by the shorter one that each ends in.
 * @property {number[]} children for each shorter n-gram, of how many it is the end
 * @property {number[]} firsts the first token of each n-gram
 * @property {number[]} counts of each
 * @property {number} discount
 */

export class NGram {
  /**
   * @param {Order[]} orders from single tokens to the longest
   * @param {number} vocabSize
   * @param {number} bos
   */
  constructor(orders, vocabSize, bos) {
    this.vocabSize = vocabSize;
    this.bos = bos;
    this.discounts = orders.map((order) => order.discount);
    /** @type {Context[]} */
    this.contexts = [context()];
    /** @type {Map<number, number>} Of a context's number * V + a token the number of that longer one. */
    this.longer = new Map();
    // Of each n-gram its context's number, and its last token.
    let owners = [0];
    let lasts = [-1];
    orders.forEach((order, length) => {
      /** @type {number[]} */
      const nextOwners = [];
      /** @type {number[]} */
      const nextLasts = [];
      let at = 0;
      order.children.forEach((children, parent) => {
        for (const stop = at + children; at < stop; at++) {
          const first = order.firsts[at];
          const owner = length ? this.extended(owners[parent], first) : 0;
          const last = length ? lasts[parent] : first;
          const { targets, counts } = this.contexts[owner];
          targets.push(last);
          counts.push(order.counts[at]);
          this.contexts[owner].total += order.counts[at];
          nextOwners.push(owner);
          nextLasts.push(last);
        }
      });
      owners = nextOwners;
      lasts = nextLasts;
    });
  }

  /**
   * Return the number of a context with one more token before it; a new one if there is none.
   * @param {number} shorter
   * @param {number} first
   * @returns {number}
   */
  extended(shorter, first) {
    const key = shorter * this.vocabSize + first;
    const known = this.longer.get(key);
    if (known !== undefined) return known;
    this.longer.set(key, this.contexts.length);
    return this.contexts.push(context()) - 1;
  }

  /** @returns {NGramDecoder} */
  decoder() {
    return new NGramDecoder(this);
  }

  /**
   * Return p_V of the token that follows.
   * @param {number[]} before the tokens read, the newest last; BOS stands before them
   * @returns {Float64Array}
   */
  probabilities(before) {
    const p = new Float64Array(this.vocabSize).fill(1 / this.vocabSize);
    let number = 0;
    for (let k = 0; k < this.discounts.length; k++) {
      if (k) {
        const token = before.length < k ? this.bos : before[before.length - k];
        const longer = this.longer.get(number * this.vocabSize + token);
        // What has never been seen leaves all to the shorter one, and so does all that is longer.
        if (longer === undefined) break;
        number = longer;
      }
      const { total, targets, counts } = this.contexts[number];
      const back = this.discounts[k] * targets.length;
      for (let i = 0; i < p.length; i++) p[i] *= back;
      targets.forEach((target, i) => (p[target] += counts[i] - this.discounts[k]));
      for (let i = 0; i < p.length; i++) p[i] /= total;
    }
    return p;
  }
}

export class NGramDecoder {
  /** @param {NGram} ngram */
  constructor(ngram) {
    this.ngram = ngram;
    /** @type {number[]} */
    this.before = [];
  }

  /**
   * Read a token; return p_V of the next one.
   * @param {number} token
   * @returns {Float64Array}
   */
  probabilities(token) {
    this.before.push(token);
    if (this.before.length >= this.ngram.discounts.length) this.before.shift();
    return this.ngram.probabilities(this.before);
  }
}

/** @returns {Context} */
function context() {
  return { total: 0, targets: [], counts: [] };
}
