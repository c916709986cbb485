// Curves of activations and their derivatives; pointing at one reads phi and phi' off at that x, of torch's own points.
const WIDTH = 330, HEIGHT = 210, LEFT = 34, BOTTOM = 24;
let place = 0.6;

const panels = DATA.curves.map((curve) => {
  const flat = (lists, bound) => lists.flat().filter((v) => Math.abs(v) <= bound);
  const low = Math.min(0, ...flat(curve.phi, 6), ...flat(curve.derivative, 1.5));
  const high = Math.max(0, ...flat(curve.phi, 6), ...flat(curve.derivative, 1.5));
  const room = 0.08 * (high - low);
  const last = curve.x.length - 1;
  const x = (v) => LEFT + ((v - curve.x[0]) / (curve.x[last] - curve.x[0])) * (WIDTH - LEFT - 8);
  const y = (v) => HEIGHT - BOTTOM - ((v - low + room) / (high - low + 2 * room)) * (HEIGHT - BOTTOM - 8);
  const far = (v) => Math.max(-1e4, Math.min(1e4, y(v)));
  const line = (values, name) => element("path", { class: name, d: "M" + values.map((v, i) => `${x(curve.x[i]).toFixed(1)} ${far(v).toFixed(1)}`).join("L") });
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${curve.name}: ${curve.formula}` });
  svg.append(element("path", { class: "axis", d: `M${LEFT} ${y(0)}H${WIDTH - 8}M${x(0)} 8V${HEIGHT - BOTTOM}` }));
  for (const v of [curve.x[0], 0, curve.x[last]]) svg.append(element("text", { class: "quiet", x: x(v), y: HEIGHT - 6, "text-anchor": "middle" }, word(v)));
  for (const v of [low, high]) if (Math.abs(v) > 0.01) svg.append(element("text", { class: "quiet", x: LEFT - 5, y: y(v) + 4, "text-anchor": "end" }, String(Math.round(v * 10) / 10).replace("-", "−")));
  curve.phi.forEach((values) => svg.append(line(values, "phi")));
  curve.derivative.forEach((values) => svg.append(line(values, "slope")));
  const at = element("line", { class: "at", y1: 8, y2: HEIGHT - BOTTOM });
  const dots = [...curve.phi.map((v) => [v, "colour-0"]), ...curve.derivative.map((v) => [v, "colour-1"])].map(([values, name]) => ({ values, dot: element("circle", { r: 5, fill: `var(--${name})` }) }));
  svg.append(at, ...dots.map(({ dot }) => dot));
  const reading = element("p", { class: "reading" });
  const pointed = (event) => {
    const box = svg.getBoundingClientRect();
    const inside = ((event.clientX - box.left) / box.width) * WIDTH;
    place = Math.max(0, Math.min(1, (inside - LEFT) / (WIDTH - LEFT - 8)));
    show();
  };
  svg.addEventListener("pointermove", pointed);
  svg.addEventListener("pointerdown", pointed);
  const note = curve.note ? `, here ${curve.note}` : "";
  const section = element("section", { "data-name": curve.name }, element("h2", {}, curve.name), element("p", { class: "quiet" }, (curve.formula || "") + note), svg, reading);
  section.read = () => {
    const i = Math.round(place * last);
    at.setAttribute("x1", x(curve.x[i]));
    at.setAttribute("x2", x(curve.x[i]));
    dots.forEach(({ values, dot }) => { dot.setAttribute("cx", x(curve.x[i])); dot.setAttribute("cy", far(values[i])); });
    const words = (lists) => lists.map((values) => word(values[i])).join(", ");
    reading.replaceChildren(`x = ${word(Math.round(curve.x[i] * 1e6) / 1e6)}: `, element("span", { class: "phi-word" }, `φ = ${words(curve.phi)}`), ", ", element("span", { class: "slope-word" }, `φ′ = ${words(curve.derivative)}`));
  };
  return section;
});

const line = slider("x, on all curves", 0, 1000, 600, (value) => { place = value / 1000; show(); }, { id: "x", shown: () => "" });
function show() {
  line.set(Math.round(1000 * place));
  panels.forEach((panel) => panel.read());
}
LIVE.append(
  element("p", { class: "quiet" }, "Point at a curve, or move the slider (arrow keys): ", element("span", { class: "phi-word" }, "φ(x), solid"), " and ", element("span", { class: "slope-word" }, "its derivative φ′(x), dashed"), "."),
  element("div", { class: "controls" }, line), element("div", { class: "panels" }, ...panels));
show();
