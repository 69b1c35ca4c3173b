/** Mistakes, as a sentence that the page can show. */

/** @param {unknown} error */
export const sentence = (error) => (error instanceof Error ? error.message : String(error));
