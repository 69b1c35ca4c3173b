/**
 * The model's operations at one position, as `microgpt.model.operations` defines them.
 *
 * In and out: vectors; sums are in 64 bits, as JavaScript's numbers are.
 */

/** @typedef {{rows: number, columns: number, values: Float32Array}} Matrix A matrix is (out, in). */
/** @typedef {{keys: Float32Array, values: Float32Array}} Memory A layer's keys and values so far. */

/**
 * Return a token's row, plus its position's row if there are such.
 * @param {Matrix} wte
 * @param {Matrix | undefined} wpe
 * @param {number} token
 * @param {number} position
 * @returns {Float64Array}
 */
export function embed(wte, wpe, token, position) {
  const width = wte.columns;
  const x = Float64Array.from(wte.values.subarray(token * width, (token + 1) * width));
  if (wpe) for (let i = 0; i < width; i++) x[i] += wpe.values[position * width + i];
  return x;
}

/**
 * Divide a vector, or each of its groups, by sqrt(mean square + epsilon).
 * @param {Float64Array} x
 * @param {number} epsilon
 * @param {number} [groups]
 * @returns {Float64Array}
 */
export function rmsnorm(x, epsilon, groups = 1) {
  const width = x.length / groups;
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    let sum = 0;
    for (let i = start; i < start + width; i++) sum += x[i] * x[i];
    const scale = 1 / Math.sqrt(sum / width + epsilon);
    for (let i = start; i < start + width; i++) y[i] = x[i] * scale;
  }
  return y;
}

/**
 * Multiply a vector by a matrix.
 * @param {Float64Array} x
 * @param {Matrix} weight
 * @returns {Float64Array}
 */
export function linear(x, weight) {
  const { rows, columns, values } = weight;
  const y = new Float64Array(rows);
  for (let r = 0, at = 0; r < rows; r++) {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += values[at++] * x[c];
    y[r] = sum;
  }
  return y;
}

/**
 * Rotate each head's pairs (i, i + K / 2) by position * base^(-i / (K / 2)) radians, in place.
 * @param {Float64Array} x
 * @param {number} heads
 * @param {number} position
 * @param {number} base
 */
export function rotate(x, heads, position, base) {
  const half = x.length / heads / 2;
  for (let i = 0; i < half; i++) {
    const angle = position * base ** (-i / half);
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    for (let h = i; h < x.length; h += 2 * half) {
      const [a, b] = [x[h], x[h + half]];
      x[h] = a * cos + b * sin;
      x[h + half] = b * cos - a * sin;
    }
  }
}

/**
 * Average the values of this and all earlier positions by softmax(q k / sqrt(K)), head by head.
 * @param {Float64Array} q
 * @param {Memory} memory holds this position's key and value, too
 * @param {number} positions how many
 * @param {number} heads
 * @param {(shares: Float64Array) => void} [watch] called with each head's softmax
 * @returns {Float64Array}
 */
export function attention(q, memory, positions, heads, watch) {
  const width = q.length;
  const K = width / heads;
  const y = new Float64Array(width);
  const scores = new Float64Array(positions);
  for (let h = 0; h < width; h += K) {
    for (let s = 0; s < positions; s++) {
      let sum = 0;
      for (let i = h; i < h + K; i++) sum += q[i] * memory.keys[s * width + i];
      scores[s] = sum / Math.sqrt(K);
    }
    const shares = softmax(scores);
    watch?.(shares);
    for (let s = 0; s < positions; s++) {
      for (let i = h; i < h + K; i++) y[i] += shares[s] * memory.values[s * width + i];
    }
  }
  return y;
}

/**
 * Return exp(z) / sum of exp(z); the largest is subtracted first.
 * @param {Float64Array} z
 * @returns {Float64Array}
 */
export function softmax(z) {
  const top = largest(z);
  const p = z.map((one) => Math.exp(one - top));
  let sum = 0;
  for (const one of p) sum += one;
  return p.map((one) => one / sum);
}

/**
 * Return the largest number.
 * @param {Float64Array | number[]} z
 * @returns {number}
 */
export function largest(z) {
  let top = -Infinity;
  for (const one of z) if (one > top) top = one;
  return top;
}

/**
 * Replace negative numbers by 0, in place, and square the others if asked.
 * @param {Float64Array} x
 * @param {boolean} squared
 * @returns {Float64Array}
 */
export function relu(x, squared) {
  for (let i = 0; i < x.length; i++) {
    const kept = x[i] > 0 ? x[i] : 0;
    x[i] = squared ? kept * kept : kept;
  }
  return x;
}

/**
 * Add a vector to another one, in place.
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @returns {Float64Array}
 */
export function add(x, y) {
  for (let i = 0; i < x.length; i++) x[i] += y[i];
  return x;
}

/**
 * Return -log softmax(z)[target] in nats, as `microgpt.cross_entropy` computes it.
 * @param {Float64Array | number[]} z
 * @param {number} target
 * @returns {number}
 */
export function crossEntropy(z, target) {
  const top = z.indexOf(largest(z));
  let rest = 0;
  for (let i = 0; i < z.length; i++) if (i !== top) rest += Math.exp(z[i] - z[top]);
  return z[top] - z[target] + Math.log1p(rest);
}
