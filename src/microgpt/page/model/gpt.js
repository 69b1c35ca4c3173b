/**
 * The GPT's forward pass, a token at a time, as `microgpt.model.gpt` defines it.
 *
 * In: a config, weights. Out: a predictor, whose decoder reads a token and answers the logits of the
 * next one; keys and values of earlier positions are kept.
 */

import { add, attention, embed, linear, relu, rmsnorm, rotate } from "./operations.js";

/** @typedef {import("./operations.js").Matrix} Matrix */
/** @typedef {import("./operations.js").Memory} Memory */
/**
 * @typedef {object} Config
 * @property {number} vocab_size
 * @property {number} block_size
 * @property {number} n_layer
 * @property {number} n_head
 * @property {number} n_embd
 * @property {"relu" | "squared-relu"} activation
 * @property {"learned" | "rotary"} position
 * @property {boolean} qk_norm
 * @property {boolean} final_norm
 * @property {number} epsilon of each RMSNorm
 * @property {number} rotary_base
 */
/** @typedef {{push: (token: number) => Float64Array}} Decoder Reads a token; answers the next one's logits. */
/** @typedef {{decoder: () => Decoder, cache?: import("./cache.js").TextCache | null}} Predictor `cache`: of a long text. */
/** @typedef {(layer: number, shares: Float64Array) => void} Watch Called for each head in turn with what a position takes from which. */

/**
 * Name the parts of a flat array of weights.
 * @param {[string, number, number][]} table name, rows and columns, in the order of the array
 * @param {Float32Array} flat
 * @returns {Map<string, Matrix>}
 */
export function matrices(table, flat) {
  /** @type {Map<string, Matrix>} */
  const found = new Map();
  let start = 0;
  for (const [name, rows, columns] of table) {
    const stop = start + rows * columns;
    found.set(name, { rows, columns, values: flat.subarray(start, stop) });
    start = stop;
  }
  if (start !== flat.length) throw new RangeError("the weights are not those of the table");
  return found;
}

/** @implements {Predictor} */
export class GPT {
  /**
   * @param {Config} config
   * @param {Map<string, Matrix>} weights
   */
  constructor(config, weights) {
    this.config = config;
    this.weights = weights;
  }

  /**
   * @param {Watch} [watch]
   * @returns {Decoder}
   */
  decoder(watch) {
    return new GPTDecoder(this, watch);
  }

  /**
   * @param {string} name
   * @returns {Matrix}
   */
  weight(name) {
    const found = this.weights.get(name);
    if (!found) throw new RangeError(`the weights lack ${name}`);
    return found;
  }
}

/** @implements {Decoder} */
class GPTDecoder {
  /**
   * @param {GPT} gpt
   * @param {Watch} [watch]
   */
  constructor(gpt, watch) {
    this.gpt = gpt;
    this.watch = watch;
    this.length = 0;
    const { n_layer, block_size, n_embd } = gpt.config;
    /** @type {Memory[]} */
    this.layers = Array.from({ length: n_layer }, () => ({
      keys: new Float32Array(block_size * n_embd),
      values: new Float32Array(block_size * n_embd),
    }));
  }

  /**
   * @param {number} token
   * @returns {Float64Array} logits_V
   */
  push(token) {
    const { gpt } = this;
    const { config } = gpt;
    if (this.length === config.block_size) throw new RangeError("the block is full");
    const position = this.length++;
    /** @param {Float64Array} x */
    const norm = (x) => rmsnorm(x, config.epsilon);
    let x = norm(embed(gpt.weight("wte"), gpt.weights.get("wpe"), token, position));
    this.layers.forEach((memory, layer) => {
      /** @param {string} name */
      const weight = (name) => gpt.weight(`layer${layer}.${name}`);
      const h = norm(x);
      let q = linear(h, weight("attn_wq"));
      let k = linear(h, weight("attn_wk"));
      if (config.qk_norm) {
        q = rmsnorm(q, config.epsilon, config.n_head);
        k = rmsnorm(k, config.epsilon, config.n_head);
      }
      if (config.position === "rotary") {
        rotate(q, config.n_head, position, config.rotary_base);
        rotate(k, config.n_head, position, config.rotary_base);
      }
      memory.keys.set(k, position * config.n_embd);
      memory.values.set(linear(h, weight("attn_wv")), position * config.n_embd);
      const read = attention(q, memory, position + 1, config.n_head, this.watch && ((shares) => this.watch?.(layer, shares)));
      add(x, linear(read, weight("attn_wo")));
      const hidden = linear(norm(x), weight("mlp_fc1"));
      relu(hidden, config.activation === "squared-relu");
      add(x, linear(hidden, weight("mlp_fc2")));
    });
    if (config.final_norm) x = norm(x);
    return linear(x, gpt.weight("lm_head"));
  }
}
