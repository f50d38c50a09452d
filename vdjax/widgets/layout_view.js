// What LayoutEditor shows, and the film under the boxes; how it is edited is in layout_editor.js.

const FPS = 8;

class LayoutView {
  constructor(model, el) {
    this.model = model;
    this.live = model.get("live");
    this.drag = null; // { name, edge, from, box, scene } while a pointer is down
    this.drawing = null; // a new box that waits for its name
    this.playing = null; // { began } while the film plays
    this.boxes = new Map();
    this.frames = { data: null, image: null };
    this.build(el);
    this.stop = listen(model, {
      "change:scenes": () => this.all(),
      "change:palette": () => this.all(),
      "change:scene": () => {
        this.abandon();
        this.all();
      },
      "change:keyframe": () => this.moment(),
      "change:selected": () => this.all(),
      "change:extent": () => this.all(),
      "change:snap": () => this.all(),
      "change:grid": () => this.all(),
      "change:findings": () => this.all(),
      "change:undoable": () => this.all(),
      "change:films": () => this.backdrop(),
      "change:preview": () => this.backdrop(),
      "change:rendering": () => this.progress(),
      "change:can_render": () => this.progress(),
    });
    this.all();
    this.backdrop();
    this.progress();
  }

  // What is shown.

  get number() {
    return clamp(this.model.get("scene"), 1, this.model.get("scenes").length);
  }
  get scene() {
    return this.drag?.scene ?? this.model.get("scenes")[this.number - 1];
  }
  get now() {
    return this.playing?.moment ?? this.model.get("keyframe");
  }
  get k() {
    return Math.round(this.now) - 1;
  }
  get selected() {
    return this.scene.entities.includes(this.model.get("selected"))
      ? this.model.get("selected")
      : "";
  }
  get styles() {
    const names = this.model.get("scenes").flatMap((scene) => scene.entities);
    return entityStyles(this.model.get("palette"), names);
  }
  get sheet() {
    const [preview, about] = [this.model.get("preview"), this.model.get("rendering")];
    if (about.scene === this.number && preview?.data) return preview;
    const film = this.model.get("films")[this.number - 1];
    return film?.data ? film : null;
  }
  get count() {
    return this.sheet?.count ?? this.model.get("num_frames");
  }
  get frame() {
    return Math.round(((this.now - 1) * (this.count - 1)) / (KEYFRAMES - 1));
  }

  build(el) {
    Object.assign(this, makeControls(this));
    this.root = makeRoot(el, "editor", ...arrange(this, this.live));
    this.root.addEventListener("keydown", (event) => this.shortcut(event));
    this.say = announcer(this.root);
  }

  all() {
    if (!this.model.get("scenes").length) return;
    const [past, future] = this.model.get("undoable");
    this.undo.disabled = !past;
    this.redo.disabled = !future;
    this.extent.value = this.model.get("extent");
    this.snap.checked = this.model.get("snap");
    this.panel.setAttribute("aria-label", `Scene ${this.number}`);
    this.caption.textContent = `${this.scene.background}: ${this.scene.description}`;
    const unused = [...Object.keys(this.styles), ...this.model.get("names")];
    this.known.replaceChildren(...[...new Set(unused)].map((value) => h("option", { value })));
    this.showTabs();
    this.showFindings();
    this.moment();
    this.progress();
    this.loadSheet();
  }

  showTabs() {
    const findings = this.model.get("findings");
    const tabs = this.model.get("scenes").map((scene, i) => {
      const found = findings.filter((one) => one.scene === i + 1).length;
      const on = i + 1 === this.number;
      return h(
        "button",
        {
          type: "button",
          role: "tab",
          "aria-selected": String(on),
          tabindex: on ? 0 : -1,
          title: scene.description,
          onclick: () => this.go(i + 1),
          onkeydown: (event) => {
            const to = {
              ArrowRight: i + 2,
              ArrowLeft: i,
              Home: 1,
              End: this.model.get("scenes").length,
            }[event.key];
            if (!to || to > this.model.get("scenes").length) return;
            event.preventDefault();
            this.go(to);
            this.tabs.children[to - 1].focus();
          },
        },
        `Scene ${i + 1}`,
        found > 0 &&
          h("span", { class: "le-count", "aria-label": `${found} findings` }, `${found}`),
      );
    });
    refill(this.tabs, tabs);
  }

  showFindings() {
    const found = this.model
      .get("findings")
      .filter((one) => one.scene == null || one.scene === this.number);
    const errors = found.some((one) => one.level === "error");
    this.total.textContent =
      found.length === 0
        ? "No findings in this scene"
        : `${found.length} finding${found.length > 1 ? "s" : ""} in this scene${errors ? "; Python keeps the last valid plan" : ""}`;
    this.total.className = errors ? "vdjax-bad" : found.length ? "vdjax-warn" : "vdjax-faint";
    refill(
      this.list,
      found.map((one) => {
        const place = one.keyframe ? `keyframe ${one.keyframe}: ` : "";
        return h(
          "li",
          {},
          h(
            "button",
            {
              type: "button",
              class: one.level === "error" ? "vdjax-bad" : "vdjax-warn",
              onclick: () => {
                save(this.model, { selected: one.name || this.model.get("selected") });
                if (one.keyframe) this.seek(one.keyframe);
              },
            },
            `${place}${[one.name, one.words].filter(Boolean).join(" ")}`,
          ),
        );
      }),
    );
  }

  /** All that hangs on the moment: frame, boxes, marks. */
  moment() {
    this.slider.max = this.count - 1;
    this.slider.value = this.frame;
    this.slider.setAttribute("aria-valuetext", `frame ${this.frame + 1} of ${this.count}`);
    const exact = Number.isInteger(this.now);
    this.where.textContent = `frame ${this.frame + 1}/${this.count}`;
    const found = this.model
      .get("findings")
      .filter((one) => one.scene === this.number && one.keyframe);
    [...this.marks.children].forEach((mark, k) => {
      const seen = !this.selected || this.scene.keyframes[k][this.selected];
      mark.setAttribute("aria-pressed", String(exact && this.now === k + 1));
      mark.classList.toggle("le-unseen", !seen);
      mark.classList.toggle(
        "le-found",
        found.some((one) => one.keyframe === k + 1),
      );
      mark.title = `Keyframe ${k + 1}${seen ? "" : `, ${this.selected} is not visible`}`;
    });
    if (this.frames.image) drawFrame(this.canvas, this.frames.sheet, this.frames.image, this.frame);
    this.showCast();
    drawLines(this);
    this.showBoxes();
    this.remove.disabled = !this.selected;
    this.reveal.disabled = !this.selected || Boolean(this.scene.keyframes[this.k][this.selected]);
    this.reveal.hidden = this.reveal.disabled;
  }

  showCast() {
    refill(
      this.cast,
      this.scene.entities.map((name) => {
        const seen = boxAt(this.scene, name, this.now);
        return h(
          "button",
          {
            type: "button",
            class: seen ? "" : "le-unseen",
            "aria-pressed": String(name === this.selected),
            title: seen ? `Select ${name}` : `Select ${name}, which is not visible now`,
            onclick: () => this.select(name),
          },
          lineSample(this.styles[name]),
          name,
        );
      }),
    );
  }

  /** What is taken hold of: one focusable element per visible box, kept as long as it lasts. */
  showBoxes() {
    const put = (el, [x0, y0, x1, y1]) => {
      const [left, top, width, height] = [x0, y0, x1 - x0, y1 - y0].map((v) => `${100 * v}%`);
      Object.assign(el.style, { left, top, width, height });
    };
    const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
    const visible = this.scene.entities
      .map((name) => [name, boxAt(this.scene, name, this.now)])
      .filter(([, box]) => box);
    const rows = labelRows(visible);
    for (const [name, el] of this.boxes) {
      if (visible.some(([other]) => other === name)) continue;
      el.remove();
      this.boxes.delete(name);
    }
    for (const [name, box] of visible) {
      if (!this.boxes.has(name)) this.boxes.set(name, makeBox(this, name));
      const el = this.boxes.get(name);
      const [colour] = this.styles[name];
      put(el, box);
      el.style.zIndex = Math.round(1000 * (1 - area(box))); // the smaller one can be taken hold of
      el.classList.toggle("le-low", box[1] < 0.08);
      el.style.setProperty("--le-row", rows[name]);
      el.setAttribute("aria-pressed", String(name === this.selected));
      el.setAttribute("aria-label", spoken(name, box, this.now));
      Object.assign(el.firstChild.style, { background: colour, color: inkOn(colour) });
    }
    const held = visible.find(([name]) => name === this.selected);
    this.handles.hidden = !held || !this.live;
    if (held) put(this.handles, held[1]);
  }

  // Frames and rendering.

  backdrop() {
    this.loadSheet();
    this.moment();
  }

  async loadSheet() {
    const sheet = this.sheet;
    if (this.frames.data === (sheet?.data ?? null)) return;
    this.frames.data = sheet?.data ?? null;
    if (!sheet) {
      this.frames.image = null;
      this.canvas.hidden = true;
      this.stage.style.aspectRatio = "1";
      return;
    }
    const image = await bitmap(sheet.data);
    if (this.frames.data !== sheet.data) return; // another one came meanwhile
    Object.assign(this.frames, { image, sheet });
    this.canvas.hidden = false;
    this.stage.style.aspectRatio = `${sheet.width} / ${sheet.height}`;
    this.moment();
  }

  progress() {
    const { state, scene, step, steps, words } = this.model.get("rendering");
    const running = state === "running";
    const errors = this.model.get("findings").some((one) => one.level === "error");
    this.rendering.hidden = !this.model.get("can_render");
    this.render.disabled = running || errors;
    this.render.title = errors
      ? "Mend what the findings say first"
      : "Make this scene's frames from the boxes";
    this.cancel.hidden = this.bar.hidden = !running;
    if (steps) Object.assign(this.bar, { max: steps, value: step });
    else this.bar.removeAttribute("value");
    const told = {
      running: `scene ${scene}, ${words || `step ${step}${steps ? ` of ${steps}` : ""}`}`,
      done: `scene ${scene} is rendered`,
      cancelled: `scene ${scene}: cancelled after step ${step}`,
      failed: `scene ${scene}: ${words}`,
    };
    this.done.textContent = told[state] ?? "";
    this.done.className = state === "failed" ? "vdjax-bad" : "vdjax-faint";
  }

  toggle() {
    if (this.playing) {
      const { moment } = this.playing;
      this.endPlaying();
      this.seek(moment);
      return;
    }
    this.playing = { began: performance.now(), moment: 1 };
    this.play.textContent = "Pause";
    const tick = (time) => {
      if (!this.playing) return;
      const frame = Math.floor(((time - this.playing.began) * FPS) / 1000) % this.count;
      const moment = momentOf(Math.max(frame, 0), this.count);
      if (moment !== this.playing.moment) {
        this.playing.moment = moment;
        this.moment();
      }
      this.playing.next = requestAnimationFrame(tick);
    };
    this.playing.next = requestAnimationFrame(tick);
  }

  endPlaying() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing.next);
    this.playing = null;
    this.play.textContent = "Play";
  }

  seek(moment, tell = true) {
    this.endPlaying();
    this.model.set("keyframe", clamp(moment, 1, KEYFRAMES));
    if (tell) this.model.save_changes();
    this.moment();
  }

  go(number) {
    this.endPlaying();
    save(this.model, { scene: number });
  }

  select(name, tell = true) {
    if (this.model.get("selected") === name) return;
    save(this.model, { selected: name });
    if (tell) this.say(spoken(name, boxAt(this.scene, name, this.now), this.now));
  }

  close() {
    this.endPlaying();
    this.stop();
    this.root.remove();
  }
}

/** In which row above its box each label stands: boxes with one corner have labels upon each other. */
function labelRows(visible) {
  const rows = {};
  visible.forEach(([name, box], i) => {
    const near = visible.slice(0, i).filter(([, other]) => {
      return Math.abs(other[0] - box[0]) < 0.15 && Math.abs(other[1] - box[1]) < 0.05;
    });
    rows[name] = Math.max(-1, ...near.map(([other]) => rows[other])) + 1;
  });
  return rows;
}

/** New children in the place of the old ones; focus stays at its place among them. */
function refill(parent, children) {
  const focused = [...parent.querySelectorAll("button")].indexOf(
    parent.getRootNode().activeElement,
  );
  parent.replaceChildren(...children);
  if (focused >= 0) parent.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
}
