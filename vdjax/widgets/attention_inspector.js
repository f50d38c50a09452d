// AttentionInspector: maps over frames. Everything is drawn from arrays that are here already; a
// slider that is dragged asks Python for nothing and tells it where it came to rest.

const KEYS =
  "K plays and pauses, , and . go a frame back and on, [ and ] a step back and on, B shows and hides boxes.";
const NORMS = { map: "each map", step: "this step", absolute: "the record (from 0)" };

class Inspector extends Looking {
  constructor(model, el) {
    super(model);
    this.clock = new Clock(() => this.advance());
    this.build(el);
    const redraw = () => this.soon();
    const names = ["token", "step", "layer", "head", "frame", "norm", "colours", "opacity", "boxes"];
    this.unlisten = listen(model, {
      ...Object.fromEntries(names.map((name) => [name, redraw])),
      fps: () => this.clock.running && this.clock.start(this.model.get("fps")),
      heads: () => this.receive(),
      saved: () => this.say(this.model.get("saved").words ?? ""),
    });
    this.receive();
    this.parts.frames.then((frames) => {
      this.frames = frames;
      this.soon();
    });
  }

  close() {
    this.closed = true;
    this.clock.stop();
    this.unlisten();
  }

  // The page.

  build(el) {
    const sides = this.get("sides");
    this.tokens = this.buildTokens();
    this.screens = sides.map((side) => this.buildScreen(side));
    this.legend = new Legend();
    this.chart = new ShareLine();
    const grids = (label, pick) =>
      sides.map(({ title }) => new MapGrid(sides.length > 1 ? `${label}, ${title}` : label, pick));
    this.grids = grids("Maps by layer and step", (row, column) => this.pickCell(row, column));
    this.strips = grids("Maps by token and frame", (row, column) => this.pickFrame(row, column));
    this.chartPanel = this.panel("Inside the box, frame by frame", [this.chart], "dotted: an even map");
    const screens = h("div", { class: "ai-screens", style: `--screens:${sides.length}` }, this.screens.map((s) => s.el));
    const left = h("div", { class: "ai-left" }, screens, this.legend.el, this.buildControls(), this.buildOutputs());
    const few = this.first.steps <= 6;
    const right = h(
      "div",
      { class: "ai-right" },
      this.chartPanel,
      this.panel("By token and frame", this.strips, "at this step and layer"),
      this.panel("By layer and step", this.grids, "numbers: percent inside the box", few),
    );
    const note = this.get("note") && h("p", { class: "vdjax-faint" }, this.get("note"));
    this.root = makeRoot(el, "attention", this.tokens.el, h("div", { class: "ai-body" }, left, right), note);
    this.root.tabIndex = -1;
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.say = announcer(this.root);
  }

  /** One record's frame with its map, and what is inside the box in words. */
  buildScreen({ title, sheet }) {
    const view = new FrameView({ names: false });
    view.el.style.aspectRatio = `${sheet.width} / ${sheet.height}`;
    Object.assign(view.canvas, { width: sheet.width, height: sheet.height });
    const share = h("p", { class: "ai-share" });
    const name = this.maps.length > 1 && h("b", {}, title);
    return { view, share, title, el: h("figure", { class: "ai-screen" }, name, view.el, h("figcaption", {}, share)) };
  }

  panel(title, parts, note, beside = false) {
    const each = parts.map((part, at) => h("div", { class: "ai-part" }, parts.length > 1 && this.screens[at].title, part.el));
    const heading = h("h4", {}, title, h("span", { class: "vdjax-faint" }, ` ${note}`));
    return h("section", { class: "ai-panel" }, heading, h("div", { class: beside && "ai-beside" }, each));
  }

  buildControls() {
    const { steps, side, layers } = this.first;
    const keep = (name, value) => save(this.model, { [name]: value });
    const slider = (name, label, min, max, step = 1) =>
      h("input", {
        type: "range",
        min,
        max,
        step,
        "aria-label": label,
        // Other views follow at once; Python hears where the slider came to rest.
        oninput: (event) => this.model.set(name, Number(event.target.value)),
        onchange: () => this.model.save_changes(),
      });
    const select = (name, options, read = String) =>
      h(
        "select",
        { onchange: (event) => keep(name, read(event.target.value)) },
        Object.entries(options).map(([value, words]) => h("option", { value }, words)),
      );
    const check = (onchange) => h("input", { type: "checkbox", onchange: (event) => onchange(event.target.checked) });
    const value = () => h("span", { class: "ai-value vdjax-faint" });
    const line = (words, ...children) =>
      h("div", { class: "vdjax-row ai-line" }, h("span", { class: "ai-name" }, words), ...children);
    const named = (words, control) => h("label", {}, words, control);
    this.frame = slider("frame", "Frame", 1, side.frames);
    this.step = slider("step", "Denoising step", 1, steps - 1);
    this.opacity = slider("opacity", "Opacity of the maps", 0, 1, 0.05);
    [this.frameWords, this.stepWords, this.opacityWords] = [value(), value(), value()];
    this.play = h("button", { type: "button", class: "vdjax-main ai-play", "aria-label": "Play", onclick: () => this.toggle() }, "▶");
    const sizes = layers.map(({ name, width, height }) => [name, `${name || MEAN} (${width}×${height})`]);
    this.layer = select("layer", Object.fromEntries(sizes));
    this.head = select("head", {}, Number);
    this.norm = select("norm", NORMS);
    this.colours = select("colours", Object.fromEntries(Object.keys(this.parts.tables).map((name) => [name, name])));
    this.boxes = check((on) => keep("boxes", on));
    this.mean = check((on) => keep("step", on ? 0 : Number(this.step.value)));
    this.boxesLabel = h("label", {}, this.boxes, "Boxes");
    return h(
      "div",
      {},
      line("Step", this.step, this.stepWords),
      line("Frame", this.frame, this.frameWords, this.play),
      line("Opacity", this.opacity, this.opacityWords),
      h(
        "div",
        { class: "vdjax-row" },
        named("Layer", this.layer),
        named("Head", this.head),
        named("Scale", this.norm),
        named("Colours", this.colours),
        this.boxesLabel,
        h("label", {}, this.mean, "Mean of the steps"),
      ),
    );
  }

  buildTokens() {
    const { tokens } = this.first.side;
    const boxed = tokens.filter(({ kind }) => kind === "box").map(({ label }) => label);
    const styles = entityStyles(this.get("palette"), boxed);
    const buttons = tokens.map(({ label, name, kind }) => {
      const onclick = () => save(this.model, { token: label });
      const about = { type: "button", class: "ai-token", "aria-label": label, "data-token": label, onclick };
      return h("button", about, kind === "box" && lineSample(styles[label]), name);
    });
    const group = (kind, title) => {
      const own = buttons.filter((_, at) => tokens[at].kind === kind);
      return own.length > 0 && h("div", { class: "vdjax-row ai-tokens", role: "group", "aria-label": title }, h("span", { class: "ai-name" }, title), own);
    };
    return { el: h("div", {}, group("box", "Tokens"), group("word", "Words")), buttons };
  }

  buildOutputs() {
    const button = (words, label, onclick) => h("button", { type: "button", "aria-label": label, onclick }, words);
    const files = ["png", "gif", "mp4"].map((kind) =>
      button(kind === "mp4" ? kind : kind.toUpperCase(), `Save as ${kind}`, () => {
        this.model.save_changes();
        this.say(`Saving as ${kind} …`);
        this.model.send({ do: "save", kind });
      }),
    );
    const copy = button("Copy Python call", "Copy the Python call that draws this view", () => this.copy());
    this.call = h("textarea", {
      class: "ai-call",
      readonly: true,
      rows: 6,
      spellcheck: "false",
      "aria-label": "The Python call that draws this view",
    });
    const saving = this.get("live") && [h("span", { class: "vdjax-faint" }, "Save"), ...files];
    return h(
      "div",
      {},
      h("div", { class: "vdjax-row" }, saving, copy),
      h("details", {}, h("summary", {}, "Python call"), this.call),
      h("details", {}, h("summary", {}, "Keys"), h("p", { class: "vdjax-faint" }, KEYS)),
    );
  }

  // Drawing.

  soon() {
    if (this.waiting || this.closed) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      if (!this.closed) this.draw();
    });
  }

  draw() {
    const look = this.look();
    this.askForHeads(look);
    const table = this.parts.tables[this.get("colours")];
    this.controls(look);
    this.drawScreens(look, table);
    this.drawMultiples(look, table);
    this.call.value = this.python(look);
  }

  controls(look) {
    const { side, layers, steps } = this.first;
    const mean = look.step === steps - 1;
    this.tokens.buttons.forEach((el) => el.setAttribute("aria-pressed", String(el.dataset.token === look.token)));
    this.frame.value = look.frame + 1;
    this.frameWords.textContent = `${look.frame + 1} of ${side.frames}`;
    if (!mean) this.step.value = look.step + 1;
    this.mean.checked = mean;
    const words = mean ? "mean" : `${look.step + 1} of ${steps - 1} · t ${side.timesteps[look.step]}`;
    this.stepWords.textContent = words;
    this.step.setAttribute("aria-valuetext", words);
    this.opacity.value = this.get("opacity");
    this.opacityWords.textContent = `${Math.round(100 * this.get("opacity"))} %`;
    this.layer.value = layers[look.layer].name;
    const heads = look.layer ? layers[look.layer].heads : 1;
    const offered = heads > 1 && (this.get("live") || this.parts.heads.has(`${look.token}\n${look.layer}`)) ? heads : 0;
    if (this.head.options.length !== offered + 1) {
      const each = Array.from({ length: offered }, (_, at) => h("option", { value: at + 1 }, at + 1));
      this.head.replaceChildren(h("option", { value: 0 }, "mean"), ...each);
    }
    this.head.disabled = !offered;
    this.head.value = look.head + 1;
    this.norm.value = this.get("norm");
    this.colours.value = this.get("colours");
    this.boxes.checked = this.get("boxes");
    this.boxesLabel.hidden = !this.maps.some(({ side: own }) => Object.keys(own.boxes).length);
  }

  drawScreens(look, table) {
    let limits = null;
    this.screens.forEach(({ view, share, title }, side) => {
      const shown = this.shown(look, side);
      const box = this.get("boxes") ? this.boxOf(side, look.token, look.frame) : null;
      view.canvas.hidden = !this.frames;
      view.outline(box ? { [look.token]: box } : {}, { [look.token]: ["#000", "6 4"] });
      if (this.frames) this.paint(view.canvas, this.frames[side][look.frame], shown, table);
      limits ??= shown?.limits;
      share.textContent = this.shareWords(look, side, shown);
      const named = this.maps.length > 1 ? `${title}: ` : "";
      view.el.setAttribute("aria-label", `${named}attention on ${look.token}, frame ${look.frame + 1}. ${share.textContent}`);
    });
    this.legend.draw(limits ?? [0, 1], table);
  }

  paint(canvas, frame, shown, table) {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!shown) return context.putImageData(frame.colour, 0, 0);
    const { width, height } = frame.colour;
    this.image ??= new ImageData(width, height);
    if (this.image.width !== width || this.image.height !== height) this.image = new ImageData(width, height);
    paintOverlay(this.image, frame.grey, shown.map, shown.limits, table, this.get("opacity"));
    return context.putImageData(this.image, 0, 0);
  }

  drawMultiples(look, table) {
    const { layers, steps, side } = this.first;
    const boxes = this.get("boxes");
    const columns = [...side.timesteps.map((_, at) => `${at + 1}`), "mean"];
    const tokens = side.tokens.filter(({ kind }) => kind === look.kind);
    const frames = Array.from({ length: side.frames }, (_, at) => `${at + 1}`);
    const same = [this.get("norm"), this.get("colours"), boxes];
    this.grids.forEach((grid, at) => {
      const cell = (layer, step) => {
        const shown = this.shown({ ...look, layer, step, head: -1 }, at);
        return shown && { ...shown, box: boxes && this.boxOf(at, look.token, look.frame) };
      };
      const key = [look.token, look.frame, ...same].join();
      grid.draw(key, layers.map(({ name }) => name || "mean"), columns, cell, table, steps <= 13);
      grid.point(look.layer, look.step);
    });
    this.strips.forEach((strip, at) => {
      const cell = (row, frame) => {
        const token = tokens[row].label;
        const shown = this.shown({ ...look, token, head: -1 }, at, frame);
        return shown && { ...shown, box: boxes && this.boxOf(at, token, frame) };
      };
      const key = [look.kind, look.step, look.layer, ...same].join();
      strip.draw(key, tokens.map(({ name }) => name), frames, cell, table, false);
      strip.point(tokens.findIndex(({ label }) => label === look.token), look.frame);
    });
    this.drawChart(look, frames);
  }

  drawChart(look, frames) {
    const known = this.maps.some(({ side }) => side.boxes[look.token]);
    this.chartPanel.hidden = !known;
    if (!known) return;
    const lines = this.maps.map((maps, side) => {
      const boxes = maps.side.boxes[look.token] ?? [];
      const shares = frames.map((_, frame) => this.shown(look, side, frame)?.share ?? NaN);
      const even = frames.map((_, frame) => {
        const box = boxes[frame];
        return box ? (box[2] - box[0]) * (box[3] - box[1]) : NaN;
      });
      const [colour, dashes] = this.get("palette")[side];
      return { shares, even, colour, dashes: side ? dashes : "" };
    });
    const mean = (values) => {
      const finite = values.filter(Number.isFinite);
      return finite.length ? percent(finite.reduce((a, b) => a + b, 0) / finite.length) : "nothing";
    };
    const words = lines.map(({ shares, even }, side) => {
      const title = this.maps.length > 1 ? `${this.screens[side].title}: ` : "";
      return `${title}${mean(shares)} inside, ${mean(even)} for an even map`;
    });
    this.chart.draw(lines, look.frame, `Share of the attention on ${look.token} inside its box over the scene. ${words.join("; ")}`);
    this.chartWords ??= this.chartPanel.appendChild(h("p", { class: "ai-chart-words" }));
    this.chartWords.replaceChildren(
      ...lines.map(({ colour, dashes }, side) => h("span", {}, lineSample([colour, dashes]), ` ${words[side]} `)),
    );
  }

  // Heads come when they are wanted.

  askForHeads(look) {
    const key = `${look.token}\n${look.layer}`;
    if (look.head < 0 || this.parts.heads.has(key) || !this.get("live") || this.asked === key) return;
    this.asked = key;
    this.say("Fetching the heads …");
    this.model.send({ do: "heads", token: look.token, layer: this.first.layers[look.layer].name });
  }

  receive() {
    for (const pack of this.get("heads")) {
      const layer = this.first.layerAt(pack.layer);
      const sides = pack.sides.map((own, side) => own && new Heads(this.maps[side], layer, own));
      this.parts.heads.set(`${pack.token}\n${layer}`, { sides });
      if (this.asked === `${pack.token}\n${layer}`) this.say("The heads are here");
    }
    this.soon();
  }

  // Doing.

  pickCell(layer, step) {
    save(this.model, { layer: this.first.layers[layer].name, step: step === this.first.steps - 1 ? 0 : step + 1, head: 0 });
    this.tell();
  }

  pickFrame(row, frame) {
    const tokens = this.first.side.tokens.filter(({ kind }) => kind === this.look().kind);
    save(this.model, { token: tokens[row].label, frame: frame + 1 });
    this.tell();
  }

  /** Say what is shown, after a choice that nothing else speaks of. */
  tell() {
    const look = this.look();
    const step = look.step === this.first.steps - 1 ? "mean of the steps" : `step ${look.step + 1}`;
    const layer = this.first.layers[look.layer].name || MEAN;
    this.say(`${look.token}, frame ${look.frame + 1}, ${step}, ${layer}: ${this.shareWords(look, 0, this.shown(look, 0))}`);
  }

  toggle() {
    if (this.clock.running) {
      this.clock.stop();
      this.model.save_changes();
    } else this.clock.start(this.get("fps"));
    this.play.textContent = this.clock.running ? "❚❚" : "▶";
    this.play.setAttribute("aria-label", this.clock.running ? "Pause" : "Play");
  }

  advance() {
    this.model.set("frame", ((this.look().frame + 1) % this.first.side.frames) + 1);
  }

  /** Another frame or step by keys; steps have their mean behind the last. */
  move(name, by) {
    const { side, steps } = this.first;
    const look = this.look();
    if (name === "frame") save(this.model, { frame: Math.max(1, Math.min(side.frames, look.frame + 1 + by)) });
    else {
      const step = Math.max(0, Math.min(steps - 1, look.step + by));
      save(this.model, { step: step === steps - 1 ? 0 : step + 1 });
    }
    this.tell();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, textarea")) return;
    const action = {
      k: () => this.toggle(),
      ",": () => this.move("frame", -1),
      ".": () => this.move("frame", 1),
      "[": () => this.move("step", -1),
      "]": () => this.move("step", 1),
      b: () => save(this.model, { boxes: !this.get("boxes") }),
    }[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  }

  async copy() {
    this.call.closest("details").open = true;
    this.call.select();
    try {
      await navigator.clipboard.writeText(this.call.value);
      this.say("Copied");
    } catch {
      // A frame of a notebook may not write to the clipboard; the older way needs no permission.
      this.say(document.execCommand("copy") ? "Copied" : "Copy the marked text");
    }
  }
}

export default {
  render({ model, el }) {
    const inspector = new Inspector(model, el);
    return () => inspector.close();
  },
};
