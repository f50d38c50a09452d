// FilmPlayer: films by scenes and frames, in step. What plays is this view's own; the place is told
// to Python when it stops, so that a kernel is not asked eight times a second.

const SPEEDS = [0.25, 0.5, 1, 2];
const LOOPS = { film: "the film", scene: "this scene", none: "no" };

class Player {
  constructor(model, el) {
    this.model = model;
    this.clock = new Clock(() => this.advance());
    this.build(el);
    this.unlisten = listen(model, {
      films: () => this.restart(),
      scene: () => this.follow(),
      frame: () => this.follow(),
      fps: () => this.tempo(),
      speed: () => this.tempo(),
      loop: () => this.settings(),
      boxes: () => this.settings(),
      captions: () => this.settings(),
      palette: () => this.restart(),
    });
    this.restart();
  }

  close() {
    this.clock.stop();
    this.unlisten();
  }

  get films() {
    return this.model.get("films");
  }

  build(el) {
    const button = (text, label, onclick) =>
      h("button", { type: "button", "aria-label": label, title: label, onclick }, text);
    const check = (name, words) => {
      const box = h("input", {
        type: "checkbox",
        onchange: () => save(this.model, { [name]: box.checked }),
      });
      return [box, h("label", {}, box, words)];
    };
    const choice = (name, options, read = String) => {
      const select = h(
        "select",
        { onchange: () => save(this.model, { [name]: read(select.value) }) },
        Object.entries(options).map(([value, words]) => h("option", { value }, words)),
      );
      return select;
    };
    this.screens = h("div", { class: "fp-screens", onclick: () => this.toggle() });
    this.strip = h("div", { class: "fp-strip", role: "group", "aria-label": "Scenes" });
    this.play = button("▶", "Play", () => this.toggle());
    this.play.classList.add("vdjax-main", "fp-play");
    this.slider = h("input", {
      type: "range",
      min: 0,
      "aria-label": "Frame of the film",
      oninput: () => this.go(Number(this.slider.value), false),
      onchange: () => this.keep(),
    });
    this.where = h("span", { class: "fp-where vdjax-faint" });
    this.speed = choice("speed", Object.fromEntries(SPEEDS.map((s) => [s, `${s} ×`])), Number);
    this.loop = choice("loop", LOOPS);
    const [boxes, boxesLabel] = check("boxes", "Boxes");
    const [captions, captionsLabel] = check("captions", "Captions");
    Object.assign(this, { boxes, boxesLabel, captions, captionsLabel });
    this.body = h(
      "div",
      { class: "fp-body" },
      this.screens,
      h(
        "div",
        { class: "vdjax-row fp-controls" },
        this.play,
        button("−1", "One frame back", () => this.step(-1)),
        button("+1", "One frame on", () => this.step(1)),
        this.slider,
        this.where,
      ),
      this.strip,
      h(
        "div",
        { class: "vdjax-row fp-options" },
        h("label", {}, "Speed ", this.speed),
        h("label", {}, "Repeat ", this.loop),
        boxesLabel,
        captionsLabel,
      ),
      h(
        "details",
        { class: "fp-keys" },
        h("summary", {}, "Keys"),
        h(
          "p",
          { class: "vdjax-faint" },
          "K or Space plays and pauses, , and . step by one frame, [ and ] go to the scene before and after, ",
          "Home and End to the first and last frame, B shows and hides boxes, C captions, L changes what repeats.",
        ),
      ),
    );
    this.root = makeRoot(el, "player", this.body);
    this.root.tabIndex = -1;
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.say = announcer(this.root);
    this.root.querySelector(".vdjax-said").classList.add("fp-said");
  }

  /** Other films: everything is made anew. */
  restart() {
    const { films } = this;
    const scenes = Math.max(...films.map((film) => film.scenes.length));
    this.lengths = Array.from({ length: scenes }, (_, s) =>
      Math.max(...films.map((film) => film.scenes[s]?.sheet.count ?? 1)),
    );
    this.starts = this.lengths.map((_, s) => this.lengths.slice(0, s).reduce((a, b) => a + b, 0));
    this.total = this.lengths.reduce((a, b) => a + b, 0);
    this.slider.max = this.total - 1;
    const names = films.flatMap((film) => film.scenes.flatMap((scene) => Object.keys(scene.boxes)));
    this.styles = entityStyles(this.model.get("palette"), names);
    this.boxesLabel.hidden = !names.length;
    this.captionsLabel.hidden = !films.some((film) => film.scenes.some((scene) => scene.caption));
    this.screens.style.setProperty("--films", films.length);
    this.body.classList.toggle("fp-one", films.length === 1 && scenes > 1);
    this.parts = films.map((film) => {
      const view = new FrameView();
      const caption = h("span", { class: "fp-caption" });
      const title = film.title && h("b", { class: "fp-title" }, film.title);
      const el = h("figure", { class: "fp-film" }, title, view.el, h("figcaption", {}, caption));
      return { film, view, caption, el };
    });
    this.screens.replaceChildren(...this.parts.map(({ el }) => el));
    this.fillStrip();
    this.at = -1;
    this.follow();
    this.settings();
    this.tempo();
  }

  fillStrip() {
    const columns = this.lengths.map((n) => `minmax(96px, ${n}fr)`).join(" ");
    this.strip.style.setProperty("--scenes", columns);
    this.tabs = this.lengths.map((length, s) => {
      const scene = this.films.map((film) => film.scenes[s]).find(Boolean);
      const thumb = new FrameView({ names: false });
      thumb.el.setAttribute("aria-hidden", "true");
      thumb.show(scene.sheet, Math.floor(scene.sheet.count / 2));
      const bar = h("span", { class: "fp-bar" });
      const about = [`Scene ${s + 1}`, scene.background, scene.caption].filter(Boolean).join(": ");
      const tab = h(
        "button",
        {
          type: "button",
          class: "fp-scene",
          "aria-label": about,
          title: about,
          onclick: () => this.go(this.starts[s]),
        },
        thumb.el,
        h(
          "span",
          { class: "fp-about" },
          h("b", {}, `${s + 1}`, scene.background ? ` ${scene.background}` : ""),
          h("span", { class: "fp-said-of vdjax-faint" }, scene.caption),
        ),
        bar,
      );
      return { tab, bar, length };
    });
    this.strip.replaceChildren(...this.tabs.map(({ tab }) => tab));
    this.strip.hidden = this.lengths.length < 2;
  }

  settings() {
    this.speed.value = String(this.model.get("speed"));
    this.loop.value = this.model.get("loop");
    this.boxes.checked = this.model.get("boxes");
    this.captions.checked = this.model.get("captions");
    this.draw();
  }

  tempo() {
    this.settings();
    if (this.clock.running) this.run();
  }

  // Where the film is.

  sceneAt(index) {
    return this.starts.findLastIndex((start) => start <= index);
  }

  /** Go where Python, or another view, says. */
  follow() {
    if (this.keeping) return;
    const scene = Math.max(0, Math.min(this.model.get("scene"), this.lengths.length) - 1);
    const frame = Math.max(0, Math.min(this.model.get("frame"), this.lengths[scene]) - 1);
    const index = this.starts[scene] + frame;
    if (index === this.at) return;
    this.at = index;
    this.draw();
  }

  go(index, last = true) {
    this.at = Math.max(0, Math.min(this.total - 1, index));
    this.draw();
    if (last) this.keep();
  }

  /** Tell Python, and people who listen, where the film stands. */
  keep() {
    const scene = this.sceneAt(this.at);
    // Traits change one after the other: between the two this view must not follow them.
    this.keeping = true;
    save(this.model, { scene: scene + 1, frame: this.at - this.starts[scene] + 1 });
    this.keeping = false;
    if (!this.clock.running) this.say(this.words());
  }

  words() {
    const scene = this.sceneAt(this.at);
    const seen = this.films[0].scenes[scene]?.boxes ?? {};
    const names = Object.keys(seen).filter(
      (name) => seen[name][this.frameOf(this.films[0], scene)],
    );
    const boxes = this.model.get("boxes") && names.length ? `; boxes of ${names.join(", ")}` : "";
    return `Scene ${scene + 1}, frame ${this.at - this.starts[scene] + 1} of ${this.lengths[scene]}${boxes}`;
  }

  /** The frame of a film that is in step with the place, by its share of the scene. */
  frameOf(film, scene) {
    const count = film.scenes[scene]?.sheet.count ?? 1;
    const share = (this.at - this.starts[scene]) / Math.max(1, this.lengths[scene] - 1);
    return Math.round(share * (count - 1));
  }

  draw() {
    if (this.at < 0) return;
    const scene = this.sceneAt(this.at);
    const inScene = this.at - this.starts[scene];
    for (const { film, view, caption } of this.parts) {
      const shown = film.scenes[scene];
      const frame = this.frameOf(film, scene);
      const boxes = this.model.get("boxes") ? (shown?.boxes ?? {}) : {};
      const here = Object.fromEntries(
        Object.entries(boxes).map(([name, track]) => [name, track[frame]]),
      );
      view.show(shown?.sheet ?? null, frame, here, this.styles);
      const text = shown ? shown.caption : `no scene ${scene + 1}`;
      caption.textContent = text;
      caption.hidden = Boolean(shown) && (!text || !this.model.get("captions"));
      view.el.setAttribute(
        "aria-label",
        [film.title, `scene ${scene + 1}`, shown?.background, text].filter(Boolean).join(", "),
      );
    }
    this.tabs.forEach(({ tab, bar, length }, s) => {
      const on = s === scene;
      tab.setAttribute("aria-current", String(on));
      bar.style.width = `${100 * (s < scene ? 1 : on ? (inScene + 1) / length : 0)}%`;
    });
    this.slider.value = this.at;
    const spoken = `scene ${scene + 1}, frame ${inScene + 1} of ${this.lengths[scene]}`;
    this.slider.setAttribute("aria-valuetext", spoken);
    const ofScene = this.lengths.length > 1 ? `scene ${scene + 1}/${this.lengths.length} · ` : "";
    this.where.textContent = `${ofScene}frame ${inScene + 1}/${this.lengths[scene]}`;
  }

  // Playing.

  run() {
    this.clock.start(this.model.get("fps") * this.model.get("speed"));
  }

  toggle() {
    if (this.clock.running) return this.pause();
    if (this.at === this.total - 1 && this.model.get("loop") === "none") this.at = 0;
    this.run();
    this.button();
    this.say("Playing");
    return undefined;
  }

  pause() {
    this.clock.stop();
    this.button();
    this.keep();
  }

  button() {
    const words = this.clock.running ? "Pause" : "Play";
    this.play.textContent = this.clock.running ? "❚❚" : "▶";
    this.play.setAttribute("aria-label", words);
    this.play.title = words;
  }

  advance() {
    const scene = this.sceneAt(this.at);
    const loop = this.model.get("loop");
    const [first, last] =
      loop === "scene"
        ? [this.starts[scene], this.starts[scene] + this.lengths[scene] - 1]
        : [0, this.total - 1];
    if (this.at < last) this.at += 1;
    else if (loop === "none") return this.pause();
    else this.at = first;
    this.draw();
    return undefined;
  }

  step(by) {
    if (this.clock.running) this.pause();
    this.go(this.at + by);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    const control = target.closest("button, select, input, summary");
    const scene = this.sceneAt(this.at);
    const actions = {
      k: () => this.toggle(),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      "[": () => this.go(this.starts[Math.max(0, scene - 1)]),
      "]": () => this.go(this.starts[Math.min(this.starts.length - 1, scene + 1)]),
      b: () => save(this.model, { boxes: !this.model.get("boxes") }),
      c: () => save(this.model, { captions: !this.model.get("captions") }),
      l: () => this.nextLoop(),
    };
    // What controls do with these keys themselves stays theirs.
    if (!control) Object.assign(actions, { " ": actions.k });
    if (!control?.matches("select, input[type=range]"))
      Object.assign(actions, { Home: () => this.go(0), End: () => this.go(this.total - 1) });
    const action = control?.matches("select")
      ? null
      : actions[key.length === 1 ? key.toLowerCase() : key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  nextLoop() {
    const kinds = Object.keys(LOOPS);
    const loop = kinds[(kinds.indexOf(this.model.get("loop")) + 1) % kinds.length];
    save(this.model, { loop });
    this.say(`Repeats ${LOOPS[loop] === "no" ? "nothing" : LOOPS[loop]}`);
  }
}

export default {
  render({ model, el }) {
    const player = new Player(model, el);
    return () => player.close();
  },
};
