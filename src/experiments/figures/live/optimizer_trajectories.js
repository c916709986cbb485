// Optimizers on a surface, computed here by torch's update rules, with learning rates and momentum by slider.
const SURFACES = {
  beale: {
    f: (x, y) => (1.5 - x + x * y) ** 2 + (2.25 - x + x * y ** 2) ** 2 + (2.625 - x + x * y ** 3) ** 2,
    gradient: (x, y) => {
      const [a, b, c] = [1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y ** 3];
      return [2 * a * (y - 1) + 2 * b * (y * y - 1) + 2 * c * (y ** 3 - 1), 2 * a * x + 4 * b * x * y + 6 * c * x * y * y];
    },
  },
  rosenbrock: { f: (x, y) => 100 * (y - x * x) ** 2 + (1 - x) ** 2, gradient: (x, y) => [-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)] },
  saddle: { f: (x, y) => x * x / 2 + y ** 4 / 4 - y * y / 2, gradient: (x, y) => [x, y ** 3 - y] },
  ravine: { f: (x, y) => (x * x + 100 * y * y) / 2, gradient: (x, y) => [x, 100 * y] },
  six_hump_camel: {
    f: (x, y) => (4 - 2.1 * x * x + x ** 4 / 3) * x * x + x * y + (4 * y * y - 4) * y * y,
    gradient: (x, y) => [8 * x - 8.4 * x ** 3 + 2 * x ** 5 + y, x - 8 * y + 16 * y ** 3],
  },
};

// theta_{k+1} of each coordinate p with gradient g; s is what an optimizer keeps, k counts from 1. As in torch.optim.
const decayed = (p, g, o) => g + (o.weight_decay || 0) * p;
const RULES = {
  SGD(p, g, s, o, k) {
    let d = decayed(p, g, o);
    if (o.momentum) {
      s.buffer = k === 1 ? d : o.momentum * s.buffer + (1 - (o.dampening || 0)) * d;
      d = o.nesterov ? d + o.momentum * s.buffer : s.buffer;
    }
    return p - o.lr * d;
  },
  Adagrad(p, g, s, o, k) {
    const d = decayed(p, g, o);
    s.sum = (s.sum ?? (o.initial_accumulator_value || 0)) + d * d;
    return p - (o.lr / (1 + (k - 1) * (o.lr_decay || 0))) * (d / (Math.sqrt(s.sum) + (o.eps ?? 1e-10)));
  },
  RMSprop(p, g, s, o) {
    const d = decayed(p, g, o), alpha = o.alpha ?? 0.99;
    s.square = alpha * (s.square ?? 0) + (1 - alpha) * d * d;
    let square = s.square;
    if (o.centered) {
      s.mean = (s.mean ?? 0) + (1 - alpha) * (d - (s.mean ?? 0));
      square -= s.mean ** 2;
    }
    const step = d / (Math.sqrt(square) + (o.eps ?? 1e-8));
    if (!o.momentum) return p - o.lr * step;
    s.buffer = o.momentum * (s.buffer ?? 0) + step;
    return p - o.lr * s.buffer;
  },
  Adam(p, g, s, o, k) {
    const d = decayed(p, g, o), [b1, b2] = o.betas ?? [0.9, 0.999];
    s.m = (s.m ?? 0) + (1 - b1) * (d - (s.m ?? 0));
    s.v = b2 * (s.v ?? 0) + (1 - b2) * d * d;
    s.largest = o.amsgrad ? Math.max(s.largest ?? 0, s.v) : s.v;
    return p - (o.lr / (1 - b1 ** k)) * (s.m / (Math.sqrt(s.largest) / Math.sqrt(1 - b2 ** k) + (o.eps ?? 1e-8)));
  },
  AdamW(p, g, s, o, k) {
    return RULES.Adam(p * (1 - o.lr * (o.weight_decay ?? 0.01)), g, s, { ...o, weight_decay: 0 }, k);
  },
};

// The path from `start`, with theta_0, up to a point that is no finite number.
function pathOf(surface, rule, options, start, steps) {
  const { f, gradient } = SURFACES[surface];
  const state = [{}, {}], points = [start];
  let theta = start;
  for (let k = 1; k <= steps; k++) {
    const g = gradient(...theta);
    theta = theta.map((p, i) => RULES[rule](p, g[i], state[i], options, k));
    if (!theta.every(Number.isFinite) || !Number.isFinite(f(...theta))) break;
    points.push(theta);
  }
  return points;
}
const apart = (a, b) => Math.max(Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1]));
// In how many first points two paths differ by less than 1e-6.
function equalSteps(path, other) {
  const first = path.findIndex((point, k) => k >= other.length || apart(point, other[k]) > 1e-6);
  return first < 0 ? path.length : first;
}

const W = 440, H = 290, G = 200;
const dashes = ["", "10 5", "3 3", "12 4 3 4", "6 3", "2 4"];
const tint = (i) => `var(--colour-${i % 6})`;
let name = DATA.surface;
const surface = () => DATA.surfaces.find((known) => known.name === name);
const optimizers = DATA.optimizers.map((given) => {
  const options = { ...given.options };
  const is = { ...given, options, shown: true, fixed: true };
  if (given.rule in RULES) {
    const path = pathOf(DATA.surface, given.rule, options, surface().start, DATA.steps);
    is.equal = equalSteps(path, given.torch);
    is.fixed = is.equal < Math.min(20, given.torch.length);
  }
  return is;
});

// At the values that were typed this is torch's own path; else what the same rule gives.
function current(optimizer) {
  const same = name === DATA.surface && ["lr", "momentum"].every((key) => optimizer.options[key] === optimizer.typed?.[key]);
  if (same) return optimizer.torch;
  return optimizer.fixed ? null : pathOf(name, optimizer.rule, optimizer.options, surface().start, DATA.steps);
}

const canvas = element("canvas", { width: 320, height: 211 });
const map = element("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "contours and paths" });
const gaps = element("svg", { viewBox: `0 0 ${W} ${G}`, role: "img", "aria-label": "f minus its minimum against the step" });
const title = element("p", { id: "surface-formula" });
const scale = () => {
  const { x_range: [x0, x1], y_range: [y0, y1] } = surface();
  return { x: (v) => ((v - x0) / (x1 - x0)) * W, y: (v) => H - ((v - y0) / (y1 - y0)) * H, x0, x1, y0, y1 };
};

function shade() {
  const context = canvas.getContext("2d"), { x0, x1, y0, y1 } = scale(), { f } = SURFACES[name];
  const [w, h] = [canvas.width, canvas.height], heights = [];
  for (let j = 0; j < h; j++) for (let i = 0; i < w; i++) heights.push(Math.log(Math.max(1e-6, f(x0 + (i / w) * (x1 - x0), y1 - (j / h) * (y1 - y0)) - surface().lowest)));
  const sorted = [...heights].sort((a, b) => a - b), low = sorted[Math.floor(0.002 * sorted.length)], high = sorted.at(-1);
  const ramp = ["ramp-2", "ramp-1", "ramp-0", "paper"].map((key) => colour(key)).map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const image = context.createImageData(w, h);
  heights.forEach((value, at) => {
    const level = Math.max(0, Math.min(15, Math.floor((16 * (value - low)) / (high - low)))), place = (level / 15) * 2.999, at0 = Math.floor(place);
    for (let c = 0; c < 3; c++) image.data[4 * at + c] = ramp[at0][c] + (place - at0) * (ramp[at0 + 1][c] - ramp[at0][c]);
    image.data[4 * at + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

const near = (v, size) => Math.max(-20 * size, Math.min(21 * size, v));
function show(step) {
  const s = scale(), shown = optimizers.map((o, i) => ({ o, i, path: o.shown ? current(o) : null })).filter(({ path }) => path);
  map.replaceChildren();
  gaps.replaceChildren();
  title.textContent = `f = ${surface().title}`;
  const gapOf = (point) => Math.max(SURFACES[name].f(...point) - surface().lowest, 1e-13);
  const all = shown.flatMap(({ path }) => path.map(gapOf)), start = gapOf(surface().start);
  const low = Math.log10(Math.max(Math.min(...all, start), 1e-13)) - 0.3, high = Math.log10(Math.max(Math.min(Math.max(...all, start), 1e3 * start), 1e-12)) + 0.3;
  const gx = (k) => 46 + (k / DATA.steps) * (W - 60), gy = (v) => 8 + ((high - v) / (high - low)) * (G - 40);
  for (let power = Math.ceil(low); power <= high; power += Math.max(1, Math.round((high - low) / 6))) gaps.append(element("path", { class: "axis", d: `M46 ${gy(power)}H${W}` }), element("text", { class: "quiet", x: 42, y: gy(power) + 4, "text-anchor": "end" }, `1e${power}`.replace("-", "−")));
  gaps.append(element("text", { class: "quiet", x: 50, y: 18 }, "f − f*"), element("text", { class: "quiet", x: W - 4, y: G - 6, "text-anchor": "end" }, `step ${step} of ${DATA.steps}`));
  for (const { o, i, path } of shown) {
    const seen = path.slice(0, step + 1), style = { stroke: tint(i), fill: "none", "stroke-width": 2.5, "stroke-dasharray": dashes[i % 6], "stroke-linejoin": "round" };
    map.append(element("path", { ...style, d: "M" + seen.map(([x, y]) => `${near(s.x(x), W).toFixed(1)} ${near(s.y(y), H).toFixed(1)}`).join("L") }));
    const [x, y] = seen.at(-1);
    map.append(element("circle", { cx: near(s.x(x), W), cy: near(s.y(y), H), r: 6, fill: tint(i) }));
    gaps.append(element("path", { ...style, "stroke-width": 2, d: "M" + seen.map((p, k) => `${gx(k).toFixed(1)} ${Math.max(-50, gy(Math.log10(gapOf(p)))).toFixed(1)}`).join("L") }));
    const inside = x >= s.x0 && x <= s.x1 && y >= s.y0 && y <= s.y1;
    const ended = path.length - 1 < Math.min(step, DATA.steps) ? `, no finite number at step ${path.length}` : "";
    o.reading.textContent = `f − f* = ${word(SURFACES[name].f(x, y) - surface().lowest)} at (${word(x)}, ${word(y)})${inside ? "" : ", outside of the picture"}${ended}`;
  }
  for (const [mx, my] of surface().minima) map.append(element("text", { x: s.x(mx), y: s.y(my) + 8, "text-anchor": "middle", style: { "font-size": "24px" } }, "★"));
  const [sx, sy] = surface().start;
  map.append(element("circle", { cx: s.x(sx), cy: s.y(sy), r: 6, fill: "var(--paper)", stroke: "var(--ink)", "stroke-width": 2 }));
}

const steps = stepper(() => DATA.steps + 1, show, 0.06);
const rows = optimizers.map((o, i) => {
  o.reading = element("span", { class: "reading" });
  o.typed = { lr: o.options.lr, momentum: o.options.momentum };
  const box = element("input", { type: "checkbox", checked: true, "aria-label": `show ${o.name}`, onchange: () => { o.shown = box.checked; o.reading.textContent = ""; steps.refresh(); } });
  const head = element("div", { class: "controls" }, box, element("span", { class: "swatch", style: { "border-color": tint(i) } }), element("strong", {}, o.name), o.reading);
  const made = element("div", { class: "optimizer", "data-name": o.name }, head);
  if (o.fixed) {
    made.append(element("p", { class: "quiet" }, `torch's own path, lr ${word(o.options.lr)}, on ${DATA.surface}`));
    return made;
  }
  const tuned = element("div", { class: "controls" });
  // From a hundredth to a hundred times the rate that holds; a hundred steps to either side.
  o.rate = () => {
    const middle = o.options.lr;
    const line = slider("lr", -100, 100, 0, (n) => { o.options.lr = n ? middle * 10 ** (n / 50) : middle; steps.refresh(); }, { shown: (n) => word(middle * 10 ** (n / 50)) });
    tuned.firstChild ? tuned.firstChild.replaceWith(line) : tuned.append(line);
  };
  o.rate();
  if (o.rule === "SGD" || o.rule === "RMSprop") tuned.append(slider("momentum", 0, 0.99, o.options.momentum ?? 0, (m) => { o.options.momentum = m; steps.refresh(); }, { step: 0.01 }));
  made.append(tuned);
  return made;
});
const choice = element("select", { id: "surface", onchange: () => {
  name = choice.value;
  for (const o of optimizers.filter((known) => !known.fixed)) {
    o.options.lr = DATA.rates[name]?.[o.name] ?? o.options.lr;
    if (name === DATA.surface) o.options.lr = o.typed.lr;
    o.rate();
  }
  shade();
  steps.stop();
  steps.go(DATA.steps);
} }, ...DATA.surfaces.map((known) => element("option", { value: known.name, selected: known.name === name }, known.name)));
const [whole, partly] = [true, false].map((all) => optimizers.filter((o) => !o.fixed && (o.equal === o.torch.length) === all));
const equal = [whole.length ? `Equal to torch's own paths to 1e-6 at every step: ${whole.map((o) => o.name).join(", ")}.` : "", ...partly.map((o) => `${o.name}: to step ${o.equal - 1}, where it circles and a last bit grows; torch's path is drawn.`)].join(" ");
LIVE.append(
  element("div", { class: "controls" }, element("label", {}, "surface", choice)), title, steps.controls,
  element("div", { class: "panels" }, element("div", {}, element("div", { class: "map" }, canvas, map), gaps), element("div", {}, ...rows)),
  element("p", { class: "quiet", id: "equal" }, equal));
document.addEventListener("themed", shade);
shade();
steps.go(DATA.steps);
