/** The views of the studio, in the order of its navigation. */

import { view as loss } from "./views/loss.js";

/** @type {import("./frame.js").View[]} */
export const VIEWS = [loss];
