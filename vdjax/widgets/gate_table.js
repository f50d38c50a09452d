// The gates' table: a column per guided layer, in the order in which they run, its two gates as bars,
// below them what they add at each step, in shades and numbers. What scales them is in
// gate_inspector.js.

const KINDS = { attention: "attention gate", dense: "feed-forward gate" };

/** A ratio in two digits, as short as it can be read. */
function times(share) {
  if (share >= 9.95 || share === 0) return share.toFixed(0);
  return share.toFixed(share >= 0.995 ? 1 : 2);
}

class GateTable {
  get layers() {
    return this.model.get("gates").map((gate) => gate.layer);
  }
  get times() {
    return this.model.get("record").timesteps ?? [];
  }
  get canScale() {
    return this.model.get("live") && this.model.get("can_render");
  }
  factor(layer) {
    return this.model.get("factors")[layer] ?? 1;
  }

  // The table: layers across, gates and steps down.

  table() {
    const gates = this.model.get("gates");
    this.low = Math.min(0, ...gates.flatMap((gate) => [gate.attention, gate.dense])) < 0 ? -1 : 0;
    this.heads = gates.map((gate, i) =>
      h(
        "button",
        {
          type: "button",
          class: "gi-layer",
          tabindex: i ? -1 : 0,
          onclick: () => this.choose(gate.layer),
          onkeydown: (event) => this.across(event, i),
        },
        h("span", {}, gate.layer),
      ),
    );
    this.bars = gates.map((gate) =>
      h(
        "td",
        { class: "gi-bars" },
        h(
          "div",
          { class: "gi-axis" },
          ["attention", "dense"].map((kind) => this.barOf(gate[kind], kind)),
        ),
      ),
    );
    this.factors = gates.map(() => h("td", { class: "gi-factor" }));
    this.factorRow = h("tr", {}, h("th", { scope: "row" }, "scale %"), this.factors);
    this.cells = this.times.map((_, step) =>
      gates.map((gate, i) =>
        h("td", {
          class: "gi-cell",
          onpointerenter: () => this.tell(i, step),
          onclick: () => this.choose(gate.layer),
        }),
      ),
    );
    this.rows = this.times.map((time, step) =>
      h(
        "tr",
        {},
        h("th", { scope: "row", title: `noise level ${time} of 1000` }, `step ${step + 1}`),
        this.cells[step],
      ),
    );
    const axis = h(
      "th",
      { scope: "row", class: "gi-scale" },
      h("span", {}, "1"),
      h("span", {}, "tanh(gate)"),
      h("span", {}, `${this.low}`),
    );
    this.grid.replaceChildren(
      h(
        "caption",
        { class: "gi-hidden" },
        "Gates by layer, in the order in which they run, and what they add at each step, in times the features' norm",
      ),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, h("span", { class: "gi-hidden" }, "step")),
          this.heads.map((head) => h("th", { scope: "col" }, head)),
        ),
      ),
      h("tbody", {}, h("tr", {}, axis, this.bars), this.factorRow, this.rows),
    );
    this.draw();
  }

  /** A bar as high as the gate, its outline where it stood before it was scaled. */
  barOf(value, kind) {
    const span = 1 - this.low;
    const zero = (100 * -this.low) / span;
    const place = (at) =>
      `height:${(100 * Math.abs(at)) / span}%;bottom:${at < 0 ? zero - (100 * -at) / span : zero}%`;
    const fill = h("i", { class: `gi-fill gi-${kind}`, style: place(value) });
    const bar = h(
      "span",
      { class: "gi-bar" },
      h("i", { class: "gi-outline", style: place(value) }),
      fill,
      h("span", { class: "gi-hidden" }, `${KINDS[kind]} ${value.toFixed(2)} `),
    );
    bar.scaleTo = (factor) => (fill.style.cssText = place(value * factor));
    return bar;
  }

  across(event, i) {
    const last = this.heads.length - 1;
    const to = {
      ArrowRight: Math.min(last, i + 1),
      ArrowLeft: Math.max(0, i - 1),
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.heads.forEach((head, j) => head.setAttribute("tabindex", j === to ? 0 : -1));
    this.heads[to].focus();
    this.tell(to);
  }

  choose(layer) {
    save(this.model, { layer: this.model.get("layer") === layer ? "" : layer });
  }

  /** Say of a layer (and a step) what the pictures show. */
  tell(i, step = null) {
    if (i < 0) {
      this.readout.textContent = "Point at a number, or choose a layer, to read about it.";
      return;
    }
    const gate = this.model.get("gates")[i];
    const record = this.model.get("record");
    const both = (a, b) => `attention ${a}, feed-forward ${b}`;
    let words = `${gate.layer}: tanh(gate): ${both(gate.attention.toFixed(3), gate.dense.toFixed(3))}`;
    if (step !== null)
      words += `. At step ${step + 1} (noise level ${record.timesteps[step]}) they add, in times the features' norm: ${both(times(record.attention[i][step]), times(record.dense[i][step]))}`;
    this.readout.textContent = words;
  }

  draw() {
    const kind = this.model.get("kind");
    const chosen = this.model.get("layer");
    const record = this.model.get("record");
    const from = this.model.get("from_step");
    const shares = record[kind] ?? [];
    const [low, top] = record.scale ?? [0.001, 1];
    const scaled = this.layers.some((layer) => this.factor(layer) !== 1);
    this.kinds.forEach((el, i) => {
      el.disabled = !this.times.length;
      el.setAttribute(
        "aria-pressed",
        String(Object.keys(KINDS)[i] === kind && this.times.length > 0),
      );
    });
    this.layers.forEach((layer, i) => {
      const on = layer === chosen;
      this.heads[i].setAttribute("aria-pressed", String(on));
      [this.bars[i], this.factors[i], ...this.cells.map((row) => row[i])].forEach((cell) =>
        cell.classList.toggle("gi-on", on),
      );
      this.bars[i].querySelectorAll(".gi-bar").forEach((bar) => bar.scaleTo(this.factor(layer)));
      this.factors[i].textContent = `${Math.round(100 * this.factor(layer))}`;
      this.factors[i].classList.toggle("gi-changed", this.factor(layer) !== 1);
      this.cells.forEach((row, step) => {
        const share = shares[i]?.[step] ?? 0;
        const shade = Math.max(0, Math.log(share / low) / Math.log(top / low));
        row[i].textContent = times(share);
        row[i].style.setProperty("--share", shade);
        row[i].classList.toggle("gi-touched", step + 1 >= from && this.factor(layer) !== 1);
      });
    });
    this.factorRow.hidden = !this.canScale && !scaled;
    this.legend.hidden = !this.times.length;
    this.legend.replaceChildren(
      `What the ${KINDS[kind]} adds, in times the norm of what it is added to, with gates as they are: `,
      h(
        "span",
        { class: "gi-nowrap" },
        `${times(low)} `,
        h("span", { class: "gi-ramp" }),
        ` ${times(top)}`,
      ),
      " (logarithmic)",
    );
    this.controls.hidden = !this.canScale;
    if (this.canScale) this.settings(chosen, from);
  }
}
