"use strict";
/* The pictures: drawn when they come near, or when the browser has nothing else to do. */
(() => {
  const NARROW = 560;
  const MOST_NUMBERS = 500;
  const pictures = JSON.parse(document.getElementById("pictures").textContent);
  const tip = document.getElementById("tip");

  /* What lies under the pointer: text only, so that no name can be markup. */
  function hint(handler, event, item, value) {
    if (value === null || value === undefined || value === "" || typeof value !== "object") {
      tip.hidden = true;
      return;
    }
    tip.replaceChildren(...Object.entries(value).map(([key, text]) => element("div", {}, element("span", {}, key), element("span", {}, String(text).replace(/(\d)%$/, "$1 %")))));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const x = event.clientX + 14 + box.width > innerWidth ? event.clientX - 14 - box.width : event.clientX + 14;
    const y = event.clientY + 14 + box.height > innerHeight ? event.clientY - 14 - box.height : event.clientY + 14;
    tip.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  }

  /* Rows as they were packed: text stands there as the number of its word. */
  const unpacked = ({ columns, words, rows }) => {
    const value = (row, i) => words[i] ? words[i][row[i]] : row[i];
    return { values: rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, value(row, i)]))) };
  };

  /* A copy of a picture's specification with its data as Vega-Lite wants them. */
  function specOf(picture, isLog) {
    const spec = structuredClone(picture.spec);
    if (spec.data) spec.data = unpacked(spec.data);
    for (const layer of spec.layer) {
      if (layer.data) layer.data = unpacked(layer.data);
      const y = layer.encoding.y;
      if (isLog && y && y.scale) {
        y.scale.type = "log";
        delete y.scale.zero;
        y.axis.tickCount = 5;
        // What is not above 0 has no logarithm: a band that reaches it ends at a tenth of its mean.
        layer.transform = [
          ...(layer.transform ?? []),
          { filter: "datum.mean > 0" },
          { calculate: "datum.low > 0 ? datum.low : datum.low === null ? null : datum.mean / 10", as: "low" },
        ];
      }
    }
    return spec;
  }

  class Figure {
    constructor(node) {
      this.node = node;
      this.plot = node.querySelector(".plot");
      this.controls = node.querySelector(".controls");
      this.names = node.dataset.pictures.split(" ");
      this.name = this.names[0];
      this.isLog = false;
      this.isClose = true;
      this.shown = new Set(this.series().filter((setting) => setting.shown).map((setting) => setting.name));
      this.details = node.querySelector("details");
      this.details.addEventListener("toggle", () => this.tabulate());
      this.arrange();
    }

    get picture() { return pictures[this.name]; }

    series() { return this.picture.series ?? []; }

    signal(name, value) {
      if (this.view) this.view.signal(name, value).runAsync();
    }

    /* Buttons above the plot. */
    arrange() {
      if (this.names.length > 1) {
        const select = element("select");
        select.append(...this.names.map((name) => new Option(pictures[name].metric, name)));
        select.addEventListener("change", () => { this.name = select.value; this.redraw(`${this.picture.metric} is shown`); });
        this.controls.append(element("label", {}, `${this.picture.choice ?? "Metric"} `, select));
      }
      if (this.picture.can_be_log) {
        this.toggle("Log axis", (isOn) => { this.isLog = isOn; this.redraw(isOn ? "logarithmic axis" : "linear axis"); });
      }
      if (this.picture.can_zoom) {
        this.toggle("Whole range", (isOn) => { this.isClose = !isOn; this.signal("zoom", !isOn); say(isOn ? "the whole range" : "the range that matters; arrows at the edge point to what lies beyond"); });
      }
      const series = this.series();
      if (series.length < 2) return;
      this.legend = legendOf(series, this.shown, (names) => this.signal("shown", names));
      const few = series.filter((setting) => setting.shown).map((setting) => setting.name);
      this.button("Show all", () => this.legend.set(series.map((setting) => setting.name), "all settings shown"));
      if (few.length < series.length) this.button("Show a few", () => this.legend.set(few, "the control and the best shown"));
      else this.button("Hide all", () => this.legend.set([], "all settings hidden"));
      this.controls.after(this.legend.list);
    }

    button(title, pressed) {
      const made = element("button", { type: "button" }, title);
      made.addEventListener("click", pressed);
      this.controls.append(made);
      return made;
    }

    toggle(title, changed) {
      const made = this.button(title, () => {
        const isOn = made.getAttribute("aria-pressed") !== "true";
        made.setAttribute("aria-pressed", String(isOn));
        changed(isOn);
      });
      made.setAttribute("aria-pressed", "false");
    }

    /* Where its section is folded it has no width yet: then that of the page's column. */
    get width() { return this.plot.clientWidth || document.querySelector("main").clientWidth; }

    isNarrow() { return this.width < NARROW; }

    async draw() {
      if (this.drawing) return this.drawing;
      this.drawing = this.embed();
      return this.drawing;
    }

    async embed() {
      const spec = specOf(this.picture, this.isLog);
      spec.width = this.drawn = this.width;
      const now = { narrow: this.isNarrow(), shown: [...this.shown], zoom: this.isClose };
      for (const param of spec.params) if (param.name in now) param.value = now[param.name];
      const old = this.view;
      const made = await vegaEmbed(this.plot, spec, { mode: "vega-lite", renderer: "svg", actions: false, ast: true, tooltip: hint, defaultStyle: false, logLevel: 1 });
      if (old) old.finalize();
      this.view = made.view;
      // Vega names its place by itself; as a picture, what is in it is not read out mark by mark.
      this.plot.setAttribute("role", "img");
      this.plot.setAttribute("aria-label", this.picture.description);
      this.plot.removeAttribute("aria-roledescription");
      this.plot.classList.add("drawn");
      this.plot.dataset.ready = this.name;
    }

    async redraw(what) {
      delete this.plot.dataset.ready;
      this.node.querySelector(".title").textContent = this.picture.title;
      this.node.querySelector(".subtitle").textContent = this.picture.subtitle;
      this.drawing = this.embed();
      this.tabulate();
      await this.drawing;
      say(what);
    }

    resized() {
      if (!this.view || this.drawn === this.width) return;
      this.drawn = this.width;
      this.view.signal("narrow", this.isNarrow()).width(this.drawn).resize().runAsync();
    }

    /* The same numbers as a table, for those who cannot see the picture or want to copy them. */
    tabulate() {
      if (!this.details.open) return;
      const { columns, spec } = this.picture;
      let rows = this.picture.rows;
      if (!rows.length && spec.data) {
        rows = unpacked(spec.data).values.map((row) => columns.map(([field]) => row[field]));
      }
      const form = (value, field) => {
        if (value === null || value === undefined) return "–";
        if (typeof value !== "number" || Number.isInteger(value)) return String(value);
        return this.picture.percent ? `${(value * 100).toFixed(2)} %` : String(Number(value.toPrecision(4)));
      };
      const head = element("tr", {}, ...columns.map(([, title]) => element("th", { scope: "col" }, title)));
      const body = rows.slice(0, MOST_NUMBERS).map((row) => element("tr", {}, ...row.map((value, i) => element("td", { class: i && typeof value === "number" ? "number" : "" }, form(value)))));
      const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
      const numbers = this.node.querySelector(".numbers");
      numbers.replaceChildren(element("div", { class: "wide", role: "region", tabindex: "0", "aria-label": "The numbers of this picture" }, table));
      if (rows.length > MOST_NUMBERS) numbers.append(element("p", { class: "fine" }, `The first ${MOST_NUMBERS} of ${rows.length} rows.`));
    }
  }

  const figures = [...document.querySelectorAll("figure[data-pictures]")].map((node) => new Figure(node));
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      figures.find((figure) => figure.node === entry.target).draw();
    }
  }, { rootMargin: "400px" });
  for (const figure of figures) near.observe(figure.node);

  /* The rest one by one, so that a printed page has every picture. */
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  async function rest() {
    for (const figure of figures) {
      await new Promise((go) => idle(go));
      await figure.draw();
    }
    document.body.dataset.ready = "all";
  }
  addEventListener("load", () => setTimeout(rest, 300));

  const widths = new ResizeObserver(() => { for (const figure of figures) figure.resized(); });
  widths.observe(document.querySelector("main"));
  for (const figure of figures) widths.observe(figure.plot); // a section that unfolds, too
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
})();
