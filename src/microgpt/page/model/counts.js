/**
 * The n-gram model: interpolated Kneser-Ney smoothing, as `microgpt.counting.ngram` defines it.
 *
 * In: the n-grams of each length and their counts. Out: the probabilities of the next token.
 *
 * An n-gram is known by the one without its first token, and that token: so no number grows with n.
 * A context (the tokens that precede the last one) is known likewise.
 */

/**
 * @typedef {object} Context What followed a context.
 * @property {number[]} targets the tokens
 * @property {number[]} counts of each: of the longest n-grams how often, of others how many tokens precede it
 * @property {number} total of the counts
 * @property {number[]} times how often each followed
 * @property {number} came how often the context came
 */
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
    const times = occurrences(orders);
    this.timesDiscounts = times.map(discount);
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
          const its = this.contexts[owner];
          its.targets.push(last);
          its.counts.push(order.counts[at]);
          its.total += order.counts[at];
          its.times.push(times[length][at]);
          its.came += times[length][at];
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
    let p = uniform(this.vocabSize);
    this.found(before).forEach((its, k) => (p = spread(p, its, its.counts, its.total, this.discounts[k])));
    return p;
  }

  /**
   * Return the contexts that came, from the empty one on: the last token, the last two, ...
   * @param {number[]} before
   * @returns {Context[]}
   */
  found(before) {
    let number = 0;
    const found = [this.contexts[number]];
    for (let k = 1; k < this.discounts.length; k++) {
      const token = before.length < k ? this.bos : before[before.length - k];
      const longer = this.longer.get(number * this.vocabSize + token);
      // What has never been seen leaves all to the shorter one, and so does all that is longer.
      if (longer === undefined) break;
      number = longer;
      found.push(this.contexts[number]);
    }
    return found;
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
    return this.ngram.probabilities(this.read(token));
  }

  /**
   * Read a token; return the last tokens, all that matter.
   * @param {number} token
   * @returns {number[]}
   */
  read(token) {
    this.before.push(token);
    if (this.before.length >= this.ngram.discounts.length) this.before.shift();
    return this.before;
  }
}

/** @returns {Context} */
function context() {
  return { targets: [], counts: [], total: 0, times: [], came: 0 };
}

/**
 * @param {number} size
 * @returns {Float64Array}
 */
export function uniform(size) {
  return new Float64Array(size).fill(1 / size);
}

/**
 * Return p_V in a context, given p_V in the one a token shorter.
 * @param {Float64Array} below
 * @param {Context} context
 * @param {number[]} counts of the tokens that followed
 * @param {number} total of these counts
 * @param {number} discount
 * @returns {Float64Array}
 */
export function spread(below, { targets }, counts, total, discount) {
  const p = below.map((one) => one * discount * targets.length);
  targets.forEach((target, i) => (p[target] += counts[i] - discount));
  return p.map((one) => one / total);
}

/**
 * Return how often the n-grams of each length came: sums of the longest that end in them.
 * @param {Order[]} orders
 * @returns {number[][]}
 */
function occurrences(orders) {
  const times = [orders[orders.length - 1].counts];
  for (let length = orders.length - 1; length > 0; length--) {
    const [longer] = times;
    let at = 0;
    times.unshift(orders[length].children.map((children) => longer.slice(at, (at += children)).reduce((sum, one) => sum + one, 0)));
  }
  return times;
}

/**
 * Return the discount of these counts, as `microgpt.counting.order` estimates it.
 * @param {number[]} counts
 * @returns {number}
 */
function discount(counts) {
  const [once, twice] = [1, 2].map((wanted) => counts.filter((one) => one === wanted).length);
  return once && twice ? once / (once + 2 * twice) : 0.5;
}
