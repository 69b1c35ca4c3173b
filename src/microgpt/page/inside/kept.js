/**
 * The graphs of a text's losses that a page holds, answered for as `microgpt.studio.graphs` does.
 *
 * @typedef {object} Written A graph; a Value's number is its place.
 * @property {number} loss
 * @property {[string[], number][]} groups paths, each with how many Values it has, one group after the other
 * @property {number[]} data of each Value
 * @property {number[]} grads
 * @property {string[]} names of operations
 * @property {number[]} operations of each Value, as places in `names`
 * @property {number[][]} inputs of each Value: a number, the derivative, the next number, ...
 * @property {[string, string, number][]} arrows
 *
 * @typedef {object} Graphs
 * @property {string} text
 * @property {string[]} symbols of all tokens
 * @property {string[]} read
 * @property {string[]} coming
 * @property {number[]} losses
 * @property {Written} mean the graph of the mean of all losses
 * @property {Written[]} each the graph of each of them
 */

/** @typedef {import("./ask.js").Fold} Fold */
/** @typedef {import("./ask.js").Link} Link */

/** The most parts or Values in one answer. */
const ENTRIES = 200;

/**
 * Let graphs answer.
 *
 * @param {Graphs} graphs
 * @returns {Pick<import("./ask.js").Inside, "part" | "value">}
 */
export const kept = (graphs) => ({
  part: async (_, position, path, first) => part(graphs, position === null ? graphs.mean : graphs.each[position], path, first),
  value: async (_, position, number) => value(position === null ? graphs.mean : graphs.each[position], number),
});

/**
 * @param {Graphs} graphs
 * @param {Written} graph
 * @param {string[]} path
 * @param {number} first
 * @returns {import("./ask.js").Part}
 */
function part({ symbols, read, coming, losses }, graph, path, first) {
  const all = folds(graph, path);
  const numbers = all.length ? [] : places(graph).flatMap((its, number) => (starts(its, path) ? [number] : []));
  const some = all.slice(first, first + ENTRIES);
  const label = (/** @type {string[]} */ its) => {
    const last = its[its.length - 1];
    const [name, number] = last.split(" ");
    if (name === "row" && ["wte", "lm_head"].includes(its[1])) return `${last}: ${symbols[Number(number)]}`;
    if (name === "position") return `${last}: ${(its[0] === "loss" ? coming : read)[Number(number)]}`;
    return last;
  };
  const halves = (/** @type {Fold} */ fold) => (fold.path[0].startsWith("layer") ? folds(graph, fold.path) : [fold]);
  return {
    loss: graph.loss, values: graph.data.length, read, coming, losses, path, first,
    count: all.length || numbers.length,
    folds: some,
    labels: some.map((fold) => label(fold.path)),
    nodes: numbers.slice(first, first + ENTRIES).map((number) => node(graph, number)),
    boxes: path.length ? [] : all.flatMap(halves),
    arrows: path.length ? [] : graph.arrows,
  };
}

/**
 * The parts directly under a path, in the order of their computation.
 *
 * @param {Written} graph
 * @param {string[]} path
 * @returns {Fold[]}
 */
function folds({ groups, grads }, path) {
  /** @type {Map<string, Fold>} */
  const found = new Map();
  let end = 0;
  for (const [its, count] of groups) {
    end += count;
    if (!starts(its, path) || its.length === path.length) continue;
    const under = its.slice(0, path.length + 1);
    const fold = found.get(under.join("/")) ?? { path: under, values: 0, gradient: 0, largest: 0, unfolds: false };
    const sizes = grads.slice(end - count, end).map(Math.abs);
    fold.values += count;
    fold.gradient = Math.hypot(fold.gradient, ...sizes);
    fold.largest = Math.max(fold.largest, ...sizes);
    fold.unfolds ||= its.length > under.length;
    found.set(under.join("/"), fold);
  }
  return [...found.values()];
}

/**
 * @param {Written} graph
 * @param {number} number
 * @returns {import("./ask.js").Value}
 */
function value(graph, number) {
  const its = node(graph, number);
  const paths = places(graph);
  const link = (/** @type {number} */ other, /** @type {number} */ derivative, /** @type {number} */ grad) => ({
    ...node(graph, other), path: paths[other], derivative, flow: derivative * grad,
  });
  const inputs = pairs(graph.inputs[number]).map(([other, derivative]) => link(other, derivative, its.grad));
  const uses = graph.inputs.flatMap((others, later) =>
    pairs(others).filter(([other]) => other === number).map(([, derivative]) => link(later, derivative, graph.grads[later])),
  );
  return { ...its, path: paths[number], inputs: most(inputs), inputs_count: inputs.length, uses: most(uses), uses_count: uses.length };
}

/** Of too many links those along which most flows back. @param {Link[]} links */
const most = (links) => (links.length > ENTRIES / 2 ? [...links].sort((a, b) => Math.abs(b.flow) - Math.abs(a.flow)).slice(0, ENTRIES / 2) : links);

/** @param {number[]} flat @returns {[number, number][]} */
const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);

/** Where each Value is filed. @param {Written} graph @returns {string[][]} */
const places = ({ groups }) => groups.flatMap(([path, count]) => Array.from({ length: count }, () => path));

/** @param {string[]} path @param {string[]} beginning */
const starts = (path, beginning) => beginning.every((name, i) => path[i] === name);

/** @param {Written} graph @param {number} number @returns {import("./ask.js").Node} */
const node = (graph, number) => ({ number, operation: graph.names[graph.operations[number]], data: graph.data[number], grad: graph.grads[number] });
