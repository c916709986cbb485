// A window that slides over an input: each output with its sum. Outputs are torch's, for each stride and padding.
let { stride, padding } = DATA;
const { inputs, weight, bias } = DATA;
const size = inputs[0].length, kernel = weight[0][0].length;
const outputs = () => DATA.outputs[`${stride},${padding}`];
const value = (c, i, j) => inputs[c][i - padding]?.[j - padding] ?? 0;
const squares = element("div", { class: "squares" });
const sums = element("div", { class: "sums", "aria-live": "polite" });
const formula = element("p", { id: "formula" });

function square(name, n, used, cell) {
  const cells = element("div", { class: "cells", style: { "--n": n } });
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
    const [text, kind] = cell(i, j);
    cells.append(element("span", { class: kind }, text));
  }
  return element("div", { class: used ? "square used" : "square" }, element("h2", {}, name), cells);
}

function show(step) {
  const out = outputs(), num = out[0].length, padded = size + 2 * padding;
  const k = Math.floor(step / num ** 2), i = Math.floor((step % num ** 2) / num), j = step % num;
  const covered = (num - 1) * stride + kernel;
  const within = (n, from) => n >= from && n < from + kernel;
  squares.replaceChildren(
    ...inputs.map((_, c) => square(inputs.length > 1 ? `x, channel ${c + 1}` : "x", padded, false, (row, column) => {
      const kinds = [];
      if (![row, column].every((n) => n >= padding && n < size + padding)) kinds.push("padding");
      if (Math.max(row, column) >= covered) kinds.push("uncovered");
      if (within(row, i * stride) && within(column, j * stride)) kinds.push("seen");
      return [word(value(c, row, column)), kinds.join(" ")];
    })),
    ...weight.flatMap((filter, f) => filter.map((channel, c) => square(`w${f + 1}${inputs.length > 1 ? `, ch. ${c + 1}` : ""}${c ? "" : `; b${f + 1} = ${word(bias[f])}`}`, kernel, f === k, (row, column) => [word(channel[row][column]), ""]))),
    ...out.map((channel, f) => square(`o${f + 1}`, num, false, (row, column) => {
      const known = f * num ** 2 + row * num + column <= step;
      return [known ? word(channel[row][column]) : "", f === k && row === i && column === j ? "made" : ""];
    })));
  formula.textContent = `(${size} − ${kernel} + 2·${padding})/${stride} + 1 = ${num}` + (covered < padded ? `, rounded down: no window covers the last ${padded - covered} of ${padded} rows and columns` : "");
  const lines = inputs.map((_, c) => {
    let total = 0;
    const terms = [];
    for (let m = 0; m < kernel; m++) for (let n = 0; n < kernel; n++) {
      const x = value(c, i * stride + m, j * stride + n), w = weight[k][c][m][n];
      total += x * w;
      terms.push(`${word(x)}·${factor(w)}`);
    }
    return { total, text: `${inputs.length > 1 ? `channel ${c + 1}: ` : ""}${terms.join(" + ")} = ${word(total)}` };
  });
  const result = `o${k + 1}[${i + 1}, ${j + 1}] = ${[...lines.map(({ total }) => total), bias[k]].map(factor).join(" + ")} = ${word(out[k][i][j])}   (the last term is b${k + 1})`;
  sums.replaceChildren(...lines.map(({ text }) => element("p", {}, text)), element("p", { id: "result" }, element("strong", {}, result)));
}

const steps = stepper(() => outputs().flat(2).length, show, DATA.seconds);
const strides = slider("stride", 1, DATA.most_stride, stride, (n) => { stride = n; steps.stop(); steps.go(0); }, { id: "stride" });
const paddings = slider("padding", DATA.least_padding, DATA.most_padding, padding, (n) => { padding = n; steps.stop(); steps.go(0); }, { id: "padding" });
LIVE.append(steps.controls, element("div", { class: "controls" }, strides, paddings), formula, sums, squares);
steps.go(0);
