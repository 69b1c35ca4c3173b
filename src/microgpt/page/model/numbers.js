/**
 * Numbers as the file holds them: base64 of little-endian floats, or of whole numbers of seven bits
 * a byte.
 *
 * In: base64. Out: arrays.
 */

/**
 * Decode base64.
 * @param {string} text
 * @returns {Uint8Array}
 */
export function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
  return found;
}

/**
 * Read floats of 16 or 32 bits.
 * @param {Uint8Array} data
 * @param {number} bits
 * @returns {Float32Array}
 */
export function floats(data, bits) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const found = new Float32Array((data.byteLength * 8) / bits);
  for (let i = 0; i < found.length; i++) {
    found[i] = bits === 16 ? half(view.getUint16(2 * i, true)) : view.getFloat32(4 * i, true);
  }
  return found;
}

/**
 * Return the number that 16 bits stand for: a sign, 5 bits of exponent, 10 of fraction.
 * @param {number} word
 * @returns {number}
 */
export function half(word) {
  const sign = word & 0x8000 ? -1 : 1;
  const exponent = (word >> 10) & 31;
  const fraction = word & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24; // too small for the usual form
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * Read whole numbers, seven bits a byte, the lowest first; the last byte of each is below 128.
 * @param {Uint8Array} data
 * @returns {number[]}
 */
export function wholes(data) {
  const found = [];
  let value = 0;
  let scale = 1;
  for (const byte of data) {
    value += (byte & 127) * scale; // no shift: numbers may have more than 31 bits
    scale *= 128;
    if (byte < 128) {
      found.push(value);
      value = 0;
      scale = 1;
    }
  }
  return found;
}
