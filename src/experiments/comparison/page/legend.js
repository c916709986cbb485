"use strict";
/* The legend of a picture: a button for each setting, pressed while it is shown. */
const SHAPES = {
  "circle": "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z",
  "square": "M-4.5 -4.5H4.5V4.5H-4.5Z",
  "diamond": "M0 -6.2L5.6 0L0 6.2L-5.6 0Z",
  "cross": "M-5.4 -1.9H-1.9V-5.4H1.9V-1.9H5.4V1.9H1.9V5.4H-1.9V1.9H-5.4Z",
  "triangle-up": "M0 -5.4L5.4 4.2H-5.4Z",
  "triangle-down": "M0 5.4L5.4 -4.2H-5.4Z",
  "triangle-right": "M5.4 0L-4.2 5.4V-5.4Z",
  "triangle-left": "M-5.4 0L4.2 5.4V-5.4Z",
};
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

function say(text) {
  document.getElementById("said").textContent = text;
}

function swatch(series) {
  const drawing = document.createElementNS(SVG, "svg");
  const add = (name, attributes) => {
    const part = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    drawing.append(part);
  };
  const colour = `var(--${series.colour})`;
  for (const [key, value] of Object.entries({ width: 34, height: 14, viewBox: "-17 -7 34 14", "aria-hidden": "true" })) {
    drawing.setAttribute(key, value);
  }
  const dash = series.dash[1] ? series.dash.join(" ") : "none";
  add("line", { x1: -17, x2: 17, y1: 0, y2: 0, stroke: colour, "stroke-width": 2, "stroke-dasharray": dash });
  add("path", { d: SHAPES[series.shape], fill: colour });
  return drawing;
}

/* Make the buttons; `changed` hears of the names that are shown. */
function legendOf(series, shown, changed) {
  const list = element("ul", { class: series.length > 12 ? "legend many" : "legend", "aria-label": "Settings in the picture" });
  const buttons = new Map();
  const update = (what) => {
    for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(shown.has(name)));
    changed([...shown]);
    say(`${what}; ${shown.size} of ${series.length} shown`);
  };
  for (const setting of series) {
    const button = element("button", { type: "button", "aria-pressed": String(shown.has(setting.name)) }, swatch(setting), setting.name);
    button.addEventListener("click", () => {
      if (!shown.delete(setting.name)) shown.add(setting.name);
      update(`${setting.name} ${shown.has(setting.name) ? "shown" : "hidden"}`);
    });
    buttons.set(setting.name, button);
    list.append(element("li", {}, button));
  }
  const set = (names, what) => {
    shown.clear();
    for (const name of names) shown.add(name);
    update(what);
  };
  return { list, set };
}
