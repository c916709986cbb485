// An expression as a graph: values forward, gradients backward, a node at a time; the variables' values can be changed.
const sigmoid = (u) => 1 / (1 + Math.exp(-u));
// erf(u) = 2/sqrt(pi) sum (-1)^n u^(2n+1) / (n! (2n+1)), whose terms cancel no digit that is shown for |u| <= 6.
function erf(u) {
  if (Math.abs(u) > 6) return Math.sign(u);
  if (Math.abs(u) > 2.5) {  // 1 - exp(-u^2)/sqrt(pi) of a continued fraction
    let tail = Math.abs(u);
    for (let n = 80; n >= 1; n--) tail = Math.abs(u) + n / 2 / tail;
    return Math.sign(u) * (1 - Math.exp(-u * u) / Math.sqrt(Math.PI) / tail);
  }
  let term = u, sum = u;
  for (let n = 1; n < 100; n++) { term *= (-u * u) / n; sum += term / (2 * n + 1); }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
// Of each operation: its value, and its derivatives by u and v (f is the value). Where both operands are equal, max and
// min halve the derivative, as torch does.
const half = (is, tie) => (tie ? 0.5 : Number(is));
const OPERATIONS = {
  add: [(u, v) => u + v, () => [1, 1]], sub: [(u, v) => u - v, () => [1, -1]],
  mul: [(u, v) => u * v, (u, v) => [v, u]], div: [(u, v) => u / v, (u, v) => [1 / v, -u / (v * v)]],
  pow: [(u, v) => u ** v, (u, v, f) => [v === 0 ? 0 : v * u ** (v - 1), u === 0 && v >= 0 ? 0 : f * Math.log(u)]],
  maximum: [Math.max, (u, v) => [half(u > v, u === v), half(v > u, u === v)]],
  minimum: [Math.min, (u, v) => [half(u < v, u === v), half(v < u, u === v)]],
  neg: [(u) => -u, () => [-1]], abs: [Math.abs, (u) => [Math.sign(u)]], square: [(u) => u * u, (u) => [2 * u]],
  sqrt: [Math.sqrt, (u, v, f) => [1 / (2 * f)]], reciprocal: [(u) => 1 / u, (u, v, f) => [-f * f]],
  exp: [Math.exp, (u, v, f) => [f]], expm1: [Math.expm1, (u, v, f) => [f + 1]],
  log: [Math.log, (u) => [1 / u]], log1p: [Math.log1p, (u) => [1 / (1 + u)]],
  sin: [Math.sin, (u) => [Math.cos(u)]], cos: [Math.cos, (u) => [-Math.sin(u)]], tan: [Math.tan, (u, v, f) => [1 + f * f]],
  atan: [Math.atan, (u) => [1 / (1 + u * u)]], sinh: [Math.sinh, (u) => [Math.cosh(u)]], cosh: [Math.cosh, (u) => [Math.sinh(u)]],
  tanh: [Math.tanh, (u, v, f) => [1 - f * f]], erf: [erf, (u) => [(2 / Math.sqrt(Math.PI)) * Math.exp(-u * u)]],
  sigmoid: [sigmoid, (u, v, f) => [f * (1 - f)]], relu: [(u) => Math.max(0, u), (u) => [Number(u > 0)]],
  softplus: [(u) => (u > 20 ? u : Math.log1p(Math.exp(u))), (u) => [u > 20 ? 1 : sigmoid(u)]],
  silu: [(u) => u * sigmoid(u), (u, v, f) => [f + (1 - f) * sigmoid(u)]],
};

const nodes = DATA.nodes, first = nodes.filter((node) => !node.operation).length, last = nodes.length - 1;
const num = nodes.length - first;
const values = nodes.slice(0, first).map((node) => node.value);

// Values of all nodes, local derivatives of all edges, and the gradients of the output by both.
function backpropagated() {
  const made = nodes.map((node, at) => ({ value: values[at], gradient: 0, local: [], passed: [] }));
  nodes.forEach((node, at) => {
    if (!node.operation) return;
    const inputs = node.operands.map((operand) => (operand.node === undefined ? operand.value : made[operand.node].value));
    const [f, derivatives] = OPERATIONS[node.operation];
    made[at].value = f(...inputs);
    made[at].local = derivatives(inputs[0], inputs[1], made[at].value);
  });
  made[last].gradient = 1;
  for (let at = last; at >= first; at--) nodes[at].operands.forEach((operand, n) => {
    if (operand.node === undefined) return;
    made[at].passed[n] = made[at].gradient === 0 ? 0 : made[at].gradient * made[at].local[n];
    made[operand.node].gradient += made[at].passed[n];
  });
  return made;
}

const picture = element("svg", { role: "img", "aria-label": "the computational graph" });
const caption = element("p", { class: "caption", id: "caption", "aria-live": "polite" });
const table = element("table");
const finite = element("p", { id: "finite" });
const wide = (text) => 7.4 * text.length;
const partial = (of, by) => `∂${of}/∂${by}`;

function show(step) {
  const made = backpropagated(), forward = Math.min(step, num), backward = step - num - 1;  // -1: only the output's 1
  const known = (at) => at < first + forward, given = (at) => backward >= 0 && at > last - backward;
  const gradientKnown = (at) => (at === last ? step > num : nodes.some((n, a) => n.operands?.some((o) => o.node === at) && given(a)));
  finite.textContent = made.every(({ value, gradient }) => Number.isFinite(value) && Number.isFinite(gradient)) ? "" : "A value or a gradient is not finite here: give other values.";
  draw(made, known, given, gradientKnown, step === 0 ? -1 : step <= num ? first + step - 1 : last - Math.max(0, backward - 1), step);
  const output = nodes[last].symbol;
  if (step === 0) caption.textContent = "The values of the variables are given.";
  else if (step <= num) {
    const node = nodes[first + step - 1];
    caption.textContent = `Forward ${step} of ${num}: ${node.symbol} = ${node.written} = ${word(made[first + step - 1].value)}`;
  } else if (backward === 0) caption.textContent = `Backward: ${partial(output, output)} = 1`;
  else {
    const at = last - backward + 1, node = nodes[at];
    const lines = node.operands.map((operand, n) => (operand.node === undefined ? null : `${partial(output, nodes[operand.node].symbol)} ${operand.shared ? "+=" : "="} ${partial(output, node.symbol)} · ${partial(node.symbol, nodes[operand.node].symbol)} = ${word(made[at].gradient)} · ${factor(made[at].local[n])} = ${word(made[at].passed[n])}`)).filter(Boolean);
    caption.textContent = `Backward ${backward} of ${num}: ${lines.join("; ")}`;
  }
  table.replaceChildren(element("tr", {}, ...["", "value", "gradient"].map((head) => element("th", {}, head))), ...nodes.map((node, at) => element("tr", { "data-node": node.symbol }, element("th", {}, node.written ? `${node.symbol} = ${node.written}` : node.symbol), element("td", {}, known(at) ? word(made[at].value) : ""), element("td", {}, gradientKnown(at) ? word(made[at].gradient) : ""))));
}

function draw(made, known, given, gradientKnown, now, step) {
  picture.replaceChildren();
  const layers = Math.max(...DATA.items.map((item) => item.layer)) + 1, output = nodes[last].symbol;
  const rows = (at) => nodes[at].operands?.map((operand, n) => (operand.node === undefined ? null : `${partial(nodes[at].symbol, nodes[operand.node].symbol)} = ${operand.formula}${known(at) && operand.formula !== word(made[at].local[n]) ? ` = ${word(made[at].local[n])}` : ""}`)).filter(Boolean) ?? [];
  const lines = (at) => (at < first ? [`${nodes[at].symbol} = ${word(made[at].value)}`, gradientKnown(at) ? `${partial(output, nodes[at].symbol)} = ${word(made[at].gradient)}` : ""] : [`${nodes[at].symbol} = ${nodes[at].written}`, ...rows(at)]);
  const widths = Array.from({ length: layers }, (_, layer) => Math.max(90, ...nodes.map((_, at) => (DATA.items[at].layer === layer ? Math.max(...lines(at).map(wide)) + 24 : 0))));
  const lefts = [10];
  for (let layer = 1; layer < layers; layer++) lefts.push(lefts[layer - 1] + widths[layer - 1] + 125);
  const total = lefts[layers - 1] + widths[layers - 1] + 125;
  const top = (y) => DATA.height - y + 20, left = (at) => lefts[DATA.items[at].layer], right = (at) => left(at) + widths[DATA.items[at].layer];
  picture.setAttribute("viewBox", `0 0 ${total} ${DATA.height + 40}`);
  picture.style.minWidth = `${Math.min(total, 900)}px`;
  const label = (x, y, text, kind, anchor = "start") => text && picture.append(element("text", { x, y, class: kind, "text-anchor": anchor }, text));
  for (const { node, operand, level, path } of DATA.edges) {
    let d = `M${right(path[0])} ${top(DATA.items[path[0]].y)}`, [x, y] = [right(path[0]), top(DATA.items[path[0]].y)];
    for (const at of path.slice(1)) {
      const goal = at === node ? top(level) : top(DATA.items[at].y);
      d += `C${x + 20} ${y} ${x + 20} ${goal} ${x + 40} ${goal}H${at === node ? left(at) : right(at)}`;
      [x, y] = [at === node ? left(at) : right(at), goal];
    }
    picture.append(element("path", { class: "edge", d }));
    const { node: source } = nodes[node].operands[operand];
    if (known(source)) label(x - 6, y - 4, `${word(made[source].value)} →`, "forward", "end");
    if (given(node)) label(x - 6, y + 14, `← ${word(made[node].passed[operand])}`, "backward", "end");
  }
  nodes.forEach((node, at) => {
    const item = DATA.items[at], y = top(item.y) - item.height / 2;
    picture.append(element("rect", { class: at === now ? "box current" : "box", x: left(at), y, width: widths[item.layer], height: item.height, rx: 6 }));
    lines(at).forEach((text, n) => label(left(at) + 10, y + (at < first || !n ? 17 + 18 * n : 28 + 30 * (n - 0.5)), text, n ? (at < first ? "backward" : "") : "bold"));
  });
  const y = top(DATA.items[last].y);
  picture.append(element("path", { class: "edge", d: `M${right(last)} ${y}h115` }));
  if (known(last)) label(right(last) + 10, y - 4, `${output} = ${word(made[last].value)} →`, "forward");
  if (step > num) label(right(last) + 10, y + 14, "← 1", "backward");
}

const steps = stepper(() => 2 * num + 2, show, DATA.seconds);
const fields = nodes.slice(0, first).map((node, at) => {
  const field = element("input", { type: "number", step: "any", value: node.value, id: `value-${DATA.names[at]}`, oninput: () => {
    const given = field.valueAsNumber;
    field.setCustomValidity(Number.isFinite(given) ? "" : "a number");
    if (!Number.isFinite(given)) return;
    values[at] = given;
    steps.refresh();
  } });
  return element("label", {}, `${node.symbol} =`, field);
});
LIVE.append(element("div", { class: "controls" }, ...fields), steps.controls, caption, finite, element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "the graph" }, picture), table);
steps.go(2 * num + 1);
