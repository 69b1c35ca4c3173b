/**
 * A hand that moves faster than trainings end: one trains at a time, and the newest value comes next.
 *
 * A training that is under way may end first, if it is a short one: so a hand that never rests still sees curves. Nothing queues up.
 */

/** Milliseconds that a training has before a newer value ends it. */
export const GRACE = 300;

/**
 * @template T
 * @param {(value: T, signal: AbortSignal) => Promise<void>} train resolves when the curve is whole, or the training has ended otherwise; never rejects
 */
export function hand(train) {
  /** @type {{value: T} | null} */
  let wanted = null;
  /** @type {{abort: AbortController, began: number} | null} */
  let current = null;
  let timer = 0;

  async function begin() {
    while (wanted) {
      const { value } = wanted;
      wanted = null;
      current = { abort: new AbortController(), began: performance.now() };
      await train(value, current.abort.signal);
      clearTimeout(timer);
    }
    current = null;
  }

  return {
    /** @param {T} value what to train now, or next */
    want(value) {
      wanted = { value };
      if (!current) void begin();
      else {
        const { abort, began } = current;
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), Math.max(began + GRACE - performance.now(), 0));
      }
    },
    /** End the training that is under way; none follows. */
    stop() {
      wanted = null;
      clearTimeout(timer);
      current?.abort.abort();
    },
  };
}
