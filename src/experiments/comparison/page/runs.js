"use strict";
/* The table of every run: sorted, filtered, and drawn a page at a time. */
(() => {
  const PAGE = 50;
  const data = JSON.parse(document.getElementById("all-runs").textContent);
  const region = document.getElementById("runs-table");
  const count = document.getElementById("runs-count");
  const pages = document.getElementById("runs-pages");
  const filter = document.getElementById("runs-filter");
  const select = document.getElementById("runs-metric");
  const [HREF, FOLDER, TASK, SETTING, SEED, STATUS, SCORE, EPOCHS, STEPS, SECONDS, ERROR, METRICS] = Array(12).keys();

  const number = (value, decimals) => value === null ? "–" : value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  const whole = (value) => value === null ? "–" : number(value, 0);
  const score = (value) => value === null ? "–" : data.points ? `${number(value * 100, data.decimals)} %` : number(value, data.decimals);
  const other = (chosen) => (value) => value === null ? "–" : data.shares[chosen] ? `${number(value * 100, 2)} %` : String(Number(value.toPrecision(4)));

  function columns() {
    const chosen = Number(select.value);
    const first = [
      { title: "setting", of: (run) => run[SETTING] },
      ...(data.several ? [{ title: "task", of: (run) => run[TASK] }] : []),
      { title: "seed", of: (run) => run[SEED], show: String, isNumber: true },
      { title: "status", of: (run) => run[STATUS] },
      { title: data.metric, of: (run) => run[SCORE], show: score, isNumber: true },
    ];
    if (chosen >= 0) {
      const name = data.metrics[chosen];
      first.push({ title: name, of: (run) => run[METRICS][chosen], show: other(chosen), isNumber: true });
    }
    return [
      ...first,
      { title: "epochs", of: (run) => run[EPOCHS], show: whole, isNumber: true },
      { title: "steps", of: (run) => run[STEPS], show: whole, isNumber: true },
      { title: "seconds", of: (run) => run[SECONDS], show: (value) => number(value, 1), isNumber: true },
      { title: "folder", of: (run) => run[FOLDER] },
    ];
  }

  const state = { sort: null, down: false, page: 0, all: false };

  function rows() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (run) => [run[SETTING], run[TASK], `seed=${run[SEED]}`, run[STATUS], run[FOLDER], run[ERROR] ?? ""].join(" ").toLowerCase();
    const kept = words.length ? data.rows.filter((run) => { const t = text(run); return words.every((word) => t.includes(word)); }) : [...data.rows];
    const column = columns().find((column) => column.title === state.sort);
    if (!column) return kept;
    const sign = state.down ? -1 : 1;
    return kept.sort((a, b) => {
      const [x, y] = [column.of(a), column.of(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
    });
  }

  function heading(column) {
    const button = element("button", { type: "button" }, column.title);
    const cell = element("th", { scope: "col", class: column.isNumber ? "number" : "" }, button);
    if (state.sort === column.title) {
      cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      button.append(element("span", { "aria-hidden": "true" }, state.down ? " ↓" : " ↑"));
    }
    button.addEventListener("click", () => {
      state.down = state.sort === column.title && !state.down;
      state.sort = column.title;
      state.page = 0;
      draw();
      [...region.querySelectorAll("thead button")].find((button) => button.firstChild.data === column.title).focus();
      say(`sorted by ${column.title}, ${state.down ? "falling" : "rising"}`);
    });
    return cell;
  }

  function cell(run, column) {
    if (column.title === "folder") {
      const pieces = run[FOLDER].split(/(?<=,)/).flatMap((piece) => [document.createElement("wbr"), piece]);
      const name = run[HREF] === null ? pieces : [element("a", { href: run[HREF] }, ...pieces)];
      return element("td", { class: "folder" }, ...name);
    }
    const made = element(column.title === "setting" ? "th" : "td", { class: column.isNumber ? "number" : "" });
    if (column.title === "setting") made.scope = "row";
    const value = column.of(run);
    made.append(column.show ? column.show(value) : String(value));
    if (column.title === "status" && run[ERROR]) made.append(element("span", { class: "error" }, run[ERROR]));
    return made;
  }

  function draw() {
    const matching = rows();
    const last = Math.max(0, Math.ceil(matching.length / PAGE) - 1);
    state.page = Math.min(state.page, last);
    const from = state.all ? 0 : state.page * PAGE;
    const shown = state.all ? matching : matching.slice(from, from + PAGE);
    const all = columns();
    const body = element("tbody", {}, ...shown.map((run) => element("tr", {}, ...all.map((column) => cell(run, column)))));
    const head = element("thead", {}, element("tr", {}, ...all.map(heading)));
    region.replaceChildren(element("table", {}, head, body));
    const of = matching.length === data.rows.length ? `${whole(matching.length)} runs` : `${whole(matching.length)} of ${whole(data.rows.length)} runs`;
    count.textContent = matching.length > shown.length ? `${of}; rows ${from + 1} to ${from + shown.length}` : of;
    const step = (title, by, isOff) => {
      const button = element("button", { type: "button" }, title);
      button.disabled = isOff;
      button.addEventListener("click", () => {
        state.page += by;
        draw();
        const again = pages.children[by < 0 ? 0 : 1];
        (again.disabled ? pages.children[by < 0 ? 1 : 0] : again).focus();
      });
      return button;
    };
    pages.replaceChildren(...(last ? [step("Previous", -1, state.page === 0), step("Next", 1, state.page === last)] : []));
  }

  select.append(new Option("none other", "-1"), ...data.metrics.map((name, index) => new Option(name, String(index))));
  select.value = "-1";
  select.addEventListener("change", draw);
  filter.addEventListener("input", () => { state.page = 0; draw(); });
  addEventListener("beforeprint", () => { state.all = true; draw(); });
  addEventListener("afterprint", () => { state.all = false; draw(); });
  draw();
})();
