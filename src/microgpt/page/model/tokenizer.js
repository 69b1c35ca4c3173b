/**
 * Text to token ids: characters, bytes, and masks before either, as `microgpt.data.tokenizer` reads.
 *
 * In: text. Out: ids, and the character in which each begins. Characters are code points.
 */

/** @typedef {{kind: "characters" | "bytes", first: number, codes: number[]}} Inner `codes`: points of the characters. */
/** @typedef {{name: string, pattern: string, runs: boolean}} Mask `runs`: of digits not taken yet. */
/**
 * @typedef {object} Written A tokenizer, as the file has it.
 * @property {Inner} inner
 * @property {Mask[]} masks
 * @property {number} vocab_size
 * @property {number} bos
 * @property {number} symbol the id of the first mask
 * @property {number} stand_in what is read for an unknown character
 * @property {number} unknown_nats
 */

export const UNKNOWN = -1;

export class Tokenizer {
  /** @param {Written} written */
  constructor(written) {
    this.written = written;
    this.bos = written.bos;
    this.vocabSize = written.vocab_size;
    const { first, codes } = written.inner;
    this.characters = codes.map((code) => String.fromCodePoint(code));
    this.ids = new Map(this.characters.map((char, i) => [char, first + i]));
    this.masks = written.masks.map((mask) => ({ ...mask, search: new RegExp(mask.pattern, "gu") }));
  }

  /**
   * @param {string} text
   * @returns {{ids: number[], starts: number[], length: number}} `length` in characters
   */
  encode(text) {
    const chars = [...text];
    const spans = this.spans(text, chars);
    /** @type {number[]} */
    const ids = [];
    /** @type {number[]} */
    const starts = [];
    for (let at = 0; at < chars.length; at++) {
      const span = spans.get(at);
      const some = span ? [this.written.symbol + span.mask] : this.inner(chars[at]);
      ids.push(...some);
      starts.push(...some.map(() => at));
      if (span) at = span.stop - 1;
    }
    return { ids, starts, length: chars.length };
  }

  /**
   * Return the ids of a character.
   * @param {string} char
   * @returns {number[]}
   */
  inner(char) {
    const { kind, first } = this.written.inner;
    if (kind === "bytes") return utf8(char).map((byte) => first + byte);
    return [this.ids.get(char) ?? UNKNOWN];
  }

  /**
   * Return where masks match, by the first character of each; of two that overlap the first mask's.
   * @param {string} text
   * @param {string[]} chars
   * @returns {Map<number, {stop: number, mask: number}>}
   */
  spans(text, chars) {
    /** @type {Map<number, {stop: number, mask: number}>} */
    const found = new Map();
    if (!this.masks.length) return found;
    // Of each UTF-16 unit the character that it belongs to.
    const places = chars.flatMap((char, i) => Array(char.length).fill(i));
    places.push(chars.length);
    const taken = Array(chars.length).fill(false);
    this.masks.forEach(({ search, runs }, mask) => {
      /** @type {[number, number][]} */
      let its = [];
      if (runs) its = untaken(chars, taken);
      else {
        for (const match of text.matchAll(search)) {
          const stop = match.index + match[0].length;
          if (match[0]) its.push([places[match.index], places[stop]]);
        }
        its = its.filter(([start, stop]) => !taken.slice(start, stop).includes(true));
      }
      for (const [start, stop] of its) {
        taken.fill(true, start, stop);
        found.set(start, { stop, mask });
      }
    });
    return found;
  }

  /**
   * Return the text of ids; BOS is left out, and a mask is its symbol.
   * @param {number[]} ids
   * @returns {string}
   */
  decode(ids) {
    const { inner, symbol, masks } = this.written;
    let text = "";
    /** @type {number[]} */
    let some = [];
    const flush = () => {
      if (some.length) text += new TextDecoder().decode(Uint8Array.from(some));
      some = [];
    };
    for (const id of ids) {
      if (id === this.bos) continue;
      const mask = masks[id - symbol];
      if (!mask && inner.kind === "bytes") some.push(id - inner.first);
      else {
        flush();
        text += mask ? `<${mask.name}>` : this.characters[id - inner.first];
      }
    }
    flush();
    return text;
  }
}

/**
 * Return the runs of digits that no span has.
 * @param {string[]} chars
 * @param {boolean[]} taken
 * @returns {[number, number][]}
 */
function untaken(chars, taken) {
  /** @type {[number, number][]} */
  const runs = [];
  chars.forEach((char, i) => {
    if (!/^[0-9]$/.test(char) || taken[i]) return;
    const last = runs[runs.length - 1];
    if (last && last[1] === i) last[1] = i + 1;
    else runs.push([i, i + 1]);
  });
  return runs;
}

/**
 * Return a character's bytes in UTF-8; half of a pair has three, as in Python's surrogatepass.
 * @param {string} char
 * @returns {number[]}
 */
export function utf8(char) {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x80) return [code];
  /** @param {number} shift */
  const part = (shift) => 0x80 | ((code >> shift) & 63);
  if (code < 0x800) return [0xc0 | (code >> 6), part(0)];
  if (code < 0x10000) return [0xe0 | (code >> 12), part(6), part(0)];
  return [0xf0 | (code >> 18), part(12), part(6), part(0)];
}
