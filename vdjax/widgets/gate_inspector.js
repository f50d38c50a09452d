// GateInspector: the gates' table, sliders that scale gates, and the two films.

class Gates extends GateTable {
  constructor(model, el) {
    super();
    this.model = model;
    this.clock = new Clock(() => this.seek((this.frame + 1) % this.count));
    this.frame = 0;
    this.build(el);
    const all = () => this.draw();
    this.unlisten = listen(model, {
      gates: () => this.table(),
      record: () => this.table(),
      factors: all,
      from_step: all,
      steps: all,
      layer: () => {
        this.draw();
        this.tell(this.layers.indexOf(model.get("layer")));
      },
      kind: all,
      can_render: all,
      rendering: () => this.progress(),
      before: () => this.films(),
      after: () => this.films(),
      change: () => this.films(),
    });
    this.table();
    this.tell(this.layers.indexOf(model.get("layer")));
    this.films();
    this.progress();
  }

  close() {
    this.clock.stop();
    this.unlisten();
  }

  build(el) {
    const button = (text, onclick, more = {}) =>
      h("button", { type: "button", onclick, ...more }, text);
    this.kinds = Object.entries(KINDS).map(([kind, words]) =>
      h(
        "button",
        { type: "button", class: "gi-kind", onclick: () => save(this.model, { kind }) },
        h("span", { class: `gi-key gi-${kind}` }),
        words,
      ),
    );
    this.grid = h("table", { class: "gi-table" });
    this.legend = h("div", { class: "gi-legend vdjax-faint" });
    this.readout = h("p", { class: "gi-readout", role: "status", "aria-live": "polite" });
    this.scope = h("span", { class: "gi-scope" });
    this.scale = h("input", {
      type: "range",
      min: 0,
      max: 100,
      step: 5,
      oninput: () => this.setFactor(Number(this.scale.value) / 100, false),
      onchange: () => this.model.save_changes(),
    });
    this.percent = h("output", { class: "gi-number" });
    this.start = h("input", {
      type: "range",
      min: 1,
      step: 1,
      "aria-label": "First step with scaled gates",
      oninput: () => this.model.set("from_step", Number(this.start.value)),
      onchange: () => this.model.save_changes(),
    });
    this.startWords = h("output", { class: "gi-number" });
    this.go = button("Render with these gates", () => this.model.send({ do: "render" }), {
      class: "vdjax-main",
    });
    this.stop = button("Cancel", () => this.model.send({ do: "cancel" }));
    this.bar = h("progress", { "aria-label": "Rendering" });
    this.state = h("span", { role: "status", "aria-live": "polite" });
    this.controls = h(
      "div",
      { class: "gi-controls" },
      h(
        "div",
        { class: "vdjax-row" },
        this.scope,
        this.scale,
        this.percent,
        button("Close", () => this.setFactor(0)),
        button("Half", () => this.setFactor(0.5)),
        button("As it is", () => this.setFactor(1)),
      ),
      h(
        "div",
        { class: "vdjax-row" },
        h("span", { class: "gi-scope" }, "From step"),
        this.start,
        this.startWords,
      ),
      h("div", { class: "vdjax-row" }, this.go, this.stop, this.bar, this.state),
    );
    this.views = ["before", "after"].map((name) => new FrameView({ label: `The film ${name}` }));
    this.captions = [h("figcaption", {}, "As it is"), h("figcaption", {})];
    this.play = button("Play", () => this.toggle());
    this.slider = h("input", {
      type: "range",
      min: 0,
      "aria-label": "Frame",
      oninput: () => this.seek(Number(this.slider.value)),
    });
    this.where = h("span", { class: "gi-number vdjax-faint" });
    this.shown = this.views.map((view, i) => h("figure", {}, view.el, this.captions[i]));
    this.screens = h(
      "div",
      { class: "gi-films" },
      h("div", { class: "gi-pair" }, this.shown),
      h("div", { class: "vdjax-row" }, this.play, this.slider, this.where),
    );
    this.root = makeRoot(
      el,
      "gates",
      h(
        "div",
        { class: "gi-columns" },
        h(
          "div",
          { class: "gi-left" },
          h(
            "div",
            { class: "vdjax-row", role: "group", "aria-label": "Gate whose part is mapped" },
            this.kinds,
          ),
          this.grid,
          this.legend,
          this.readout,
        ),
        h("div", { class: "gi-right" }, this.controls, this.screens),
      ),
    );
  }

  settings(chosen, from) {
    const steps = this.model.get("steps");
    const factors = (chosen ? [chosen] : this.layers).map((layer) => this.factor(layer));
    const mixed = factors.some((factor) => factor !== factors[0]);
    const mean = factors.reduce((a, b) => a + b, 0) / factors.length;
    this.scope.textContent = chosen ? `Scale ${chosen}` : "Scale all layers";
    this.scale.setAttribute("aria-label", this.scope.textContent);
    this.scale.value = Math.round(100 * mean);
    this.percent.textContent = mixed ? "mixed" : `${Math.round(100 * mean)}%`;
    this.start.max = Math.max(1, steps);
    this.start.value = from;
    const time = this.times[from - 1];
    this.startWords.textContent = `${from} of ${steps}${time === undefined ? "" : ` (noise ${time})`}`;
    this.start.setAttribute("aria-valuetext", this.startWords.textContent);
  }

  setFactor(factor, done = true) {
    const chosen = this.model.get("layer");
    const factors = { ...this.model.get("factors") };
    for (const layer of chosen ? [chosen] : this.layers) factors[layer] = factor;
    this.model.set("factors", factors);
    if (done) this.model.save_changes();
  }

  // The films.

  progress() {
    const about = this.model.get("rendering");
    const running = about.state === "running";
    this.go.disabled = running;
    this.stop.hidden = this.bar.hidden = !running;
    this.bar.max = Math.max(1, this.model.get("steps"));
    this.bar.value = Math.min(this.bar.max, about.step ?? 0);
    this.state.className = about.state === "failed" ? "vdjax-bad" : "vdjax-faint";
    const words = { running: "rendering", done: "done", cancelled: "cancelled", failed: "failed" }[
      about.state
    ];
    this.state.textContent = words ? [words, about.words].filter(Boolean).join(": ") : "";
    this.films();
  }

  get sheets() {
    return ["before", "after"].map((name) => this.model.get(name));
  }
  get count() {
    return Math.max(1, ...this.sheets.map((sheet) => sheet?.count ?? 1));
  }

  films() {
    const here = this.sheets.map((sheet) => Boolean(sheet?.data));
    this.screens.hidden = !here.some(Boolean);
    this.shown.forEach((el, i) => (el.hidden = !here[i]));
    const about = this.model.get("rendering");
    if (about.state === "done") this.made = about.words;
    const change = this.model.get("change");
    const differs = change === null ? "" : ` · differs by ${change.toFixed(1)} of 255 on average`;
    this.captions[1].textContent = `${this.made ?? "Scaled"}${differs}`;
    this.seek(Math.min(this.frame, this.count - 1));
  }

  seek(frame) {
    this.frame = frame;
    this.slider.max = this.count - 1;
    this.slider.value = frame;
    this.slider.setAttribute("aria-valuetext", `frame ${frame + 1} of ${this.count}`);
    this.where.textContent = `frame ${frame + 1}/${this.count}`;
    this.sheets.forEach((sheet, i) => sheet?.data && this.views[i].show(sheet, frame));
  }

  toggle() {
    if (this.clock.running) this.clock.stop();
    else this.clock.start(8);
    this.play.textContent = this.clock.running ? "Pause" : "Play";
  }
}

export default {
  render({ model, el }) {
    const gates = new Gates(model, el);
    return () => gates.close();
  },
};
