/** The views of the studio, in the order of its navigation. */

import { view as curve } from "./views/curve.js";
import { view as documents } from "./views/documents.js";
import { view as guess } from "./views/guess.js";
import { view as inside } from "./views/inside.js";
import { view as loss } from "./views/loss.js";
import { view as runs } from "./views/runs.js";
import { view as sample } from "./views/sample.js";
import { view as step } from "./views/step.js";
import { view as train } from "./views/train.js";

/** @type {import("./frame.js").View[]} */
export const VIEWS = [loss, curve, guess, step, train, sample, inside, documents, runs];
