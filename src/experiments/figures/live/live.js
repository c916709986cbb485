"use strict";
// What all pages share: elements, sliders, a stepper worked by buttons and keys, and the theme.
const DATA = JSON.parse(document.getElementById("data").textContent);
const LIVE = document.getElementById("live");

function element(name, attributes = {}, ...children) {
  const svg = ["svg", "path", "line", "circle", "rect", "text", "g"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, part] of Object.entries(value)) made.style.setProperty(name, part);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// To four digits, with a minus sign of its own, as the pictures have it.
function word(value) {
  if (!Number.isFinite(value)) return String(value);
  const [mantissa, exponent] = (value === 0 ? 0 : value).toExponential(3).split("e");
  const power = Number(exponent);
  const text = power < -4 || power >= 4
    ? `${Number(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`
    : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}
const factor = (value) => (value < 0 ? `(${word(value)})` : word(value));

function slider(label, low, high, value, changed, { step = 1, shown = word, id = null } = {}) {
  const output = element("output", {}, shown(value));
  const input = element("input", { type: "range", min: low, max: high, step, value, id, oninput: () => {
    output.textContent = shown(Number(input.value));
    changed(Number(input.value));
  } });
  const made = element("label", { class: "slider" }, element("span", {}, label), input, output);
  made.set = (next) => { input.value = next; output.textContent = shown(Number(input.value)); };
  made.limit = (least, most) => { input.min = least; input.max = most; made.set(input.value); };
  return made;
}

// Steps 0 to length() - 1; the arrow keys, Home, End and the space bar work where no field has a use for them.
function stepper(length, show, seconds) {
  let index = 0;
  let timer = null;
  const play = element("button", { type: "button", id: "play", onclick: () => (timer ? stop() : start()) }, "▶ Play");
  const line = slider("step", 0, length() - 1, 0, (value) => { stop(); go(value); }, { id: "step", shown: (n) => `${n} of ${length() - 1}` });
  function stop() { clearInterval(timer); timer = null; play.textContent = "▶ Play"; }
  function start() {
    if (index >= length() - 1) go(0);
    play.textContent = "❚❚ Pause";
    timer = setInterval(() => { go(index + 1); if (index >= length() - 1) stop(); }, 1000 * seconds);
  }
  function go(next) {
    index = Math.max(0, Math.min(length() - 1, next));
    line.limit(0, length() - 1);
    line.set(index);
    show(index);
  }
  const by = (change) => () => { stop(); go(index + change); };
  const back = element("button", { type: "button", id: "back", onclick: by(-1) }, "◀ Back");
  const next = element("button", { type: "button", id: "next", onclick: by(1) }, "Step ▶");
  document.addEventListener("keydown", (event) => {
    if (event.target.closest(event.key === " " ? "input, select, button" : "input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowRight: by(1), ArrowLeft: by(-1), Home: by(-1e9), End: by(1e9), " ": () => play.click() };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  });
  const controls = element("div", { class: "controls" }, back, next, play, line);
  return { controls, go, stop, refresh: () => go(index), get index() { return index; } };
}

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.dispatchEvent(new Event("themed"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("themed")));
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
