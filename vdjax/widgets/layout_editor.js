// LayoutEditor: boxes over frames, edited. State is in the model's traits (see layout_editor.py); a
// drag in progress and whether a film plays are this view's own.

const STEP = 0.01; // of an arrow key, as a share of the frame

class Editor extends LayoutView {
  // Edits.

  commit(scene, words = null) {
    const scenes = this.model.get("scenes").map((one, i) => (i === this.number - 1 ? scene : one));
    this.drag = null;
    if (JSON.stringify(scenes) !== JSON.stringify(this.model.get("scenes")))
      save(this.model, { scenes });
    this.all();
    if (words) this.say(words);
  }

  /** Edits belong to keyframes: from a moment between two, go to the nearer one. */
  settle() {
    if (this.now !== this.k + 1 || this.playing) this.seek(this.k + 1);
  }

  ask(what) {
    this.model.send({ do: what });
    if (what === "undo" || what === "redo") this.say(what === "undo" ? "Undone" : "Done again");
  }

  put(name, next) {
    this.commit(withBox(this.scene, name, this.k, this.model.get("extent"), next));
    this.say(spoken(name, this.scene.keyframes[this.k][name], this.now));
  }

  erase() {
    const name = this.selected;
    if (!name) return;
    this.settle();
    this.commit(without(this.scene, name, this.k, this.model.get("extent")));
    const where = this.scene.entities.includes(name)
      ? `is not visible at keyframe ${this.k + 1} any more`
      : "is deleted";
    this.say(`${name} ${where}`);
  }

  showHere() {
    const name = this.selected;
    this.settle();
    const near = this.scene.keyframes
      .map((keyframe, i) => [Math.abs(i - this.k), keyframe[name]])
      .filter(([, box]) => box);
    const box = near.sort((a, b) => a[0] - b[0])[0]?.[1];
    if (box) this.place(name, box);
  }

  /** Put a box where an edit's keyframes have none of this name yet, or in place of those. */
  place(name, box) {
    const chosen = shares(this.model.get("extent"), this.k);
    this.model.set("selected", name);
    this.commit(
      withBoxes(this.scene, name, (old, i) => (chosen[i] ? box : old)),
      spoken(name, box, this.now),
    );
  }

  toggleDraw(event) {
    const on = this.draw.getAttribute("aria-pressed") !== "true";
    if (on && event.detail === 0) return this.newBox([0.35, 0.5, 0.65, 0.9]); // by keyboard
    this.setDraw(on);
    if (on) this.say("Drag over the frame to draw a box");
    return undefined;
  }

  setDraw(on) {
    this.draw.setAttribute("aria-pressed", String(on));
    this.stage.classList.toggle("le-drawing", on);
  }

  newBox(box) {
    this.settle();
    this.setDraw(false);
    this.drawing = round(box);
    this.naming.hidden = false;
    this.name.value = "";
    this.moment();
    this.name.focus({ preventScroll: true });
    this.say("Type a name for the new box, then Enter");
  }

  christen(event) {
    event.preventDefault();
    const name = this.name.value.trim();
    if (!name || !this.drawing) return;
    const box = this.drawing;
    this.abandon();
    this.place(name, box);
    this.boxes.get(name)?.focus({ preventScroll: true });
  }

  abandon(tell = false) {
    this.drag = this.drawing = null;
    this.naming.hidden = true;
    this.setDraw(false);
    this.moment();
    if (tell) this.say("Cancelled");
  }

  // Pointers: mouse, pen and fingers.

  point(event) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height].map((value) =>
      clamp(value, 0, 1),
    );
  }

  grid(value) {
    const grid = this.model.get("grid");
    return this.model.get("snap") ? clamp(Math.round(value / grid) * grid, 0, 1) : value;
  }

  grab(event) {
    if (!this.live || event.button !== 0 || !event.isPrimary || this.drag) return;
    const drawing = this.stage.classList.contains("le-drawing");
    const { edge } = event.target.dataset;
    const name = drawing ? null : edge ? this.selected : event.target.dataset.name;
    // A finger on an empty place scrolls the page, unless drawing was asked for.
    if (!name && !drawing && event.pointerType === "touch") return;
    this.settle();
    if (name) {
      this.select(name);
      this.boxes.get(name)?.focus({ preventScroll: true });
    } else event.preventDefault();
    const box = name ? this.scene.keyframes[this.k][name] : null;
    if (name && !box) return;
    this.stage.setPointerCapture(event.pointerId);
    this.drag = { name, edge, box, from: this.point(event), start: this.scene, scene: this.scene };
  }

  pull(event) {
    const { drag } = this;
    if (!drag || !event.isPrimary) return;
    const [x, y] = this.point(event);
    const snap = (value) => this.grid(value);
    if (!drag.name) {
      const [u, v] = drag.from;
      this.drawing = [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)].map(snap);
      this.moment();
      return;
    }
    const [dx, dy] = [x - drag.from[0], y - drag.from[1]];
    if (!drag.moved && Math.hypot(dx, dy) < 0.004) return; // a click, not a drag
    drag.moved = true;
    const next = drag.edge
      ? resized(drag.box, drag.edge, dx, dy, snap)
      : moved(drag.box, dx, dy, snap);
    drag.scene = withBox(drag.start, drag.name, this.k, this.model.get("extent"), next);
    this.moment();
  }

  drop(event) {
    const { drag } = this;
    if (!drag || !event.isPrimary) return;
    this.drag = null;
    if (drag.moved) {
      this.commit(drag.scene, spoken(drag.name, drag.scene.keyframes[this.k][drag.name], this.now));
    }
    if (drag.name) return;
    const [x0, y0, x1, y1] = this.drawing ?? [0, 0, 0, 0];
    if (Math.min(x1 - x0, y1 - y0) >= MIN_SIDE) {
      this.newBox(this.drawing);
    } else {
      this.abandon();
      save(this.model, { selected: "" });
    }
  }

  // Keys.

  key(event) {
    const name = event.target.dataset?.name;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[
      event.key
    ];
    if (event.key === "Escape" && this.drag) this.abandon(true);
    else if (!this.live || !name || event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key === "Delete" || event.key === "Backspace") this.eraseByKey(name);
    else if (way) this.nudge(name, way, event.shiftKey);
    else return;
    event.preventDefault();
  }

  nudge(name, [x, y], resize) {
    this.settle();
    const box = this.scene.keyframes[this.k][name];
    if (!box) return;
    const step = this.model.get("snap") ? this.model.get("grid") : STEP;
    const snap = (value) => this.grid(value);
    this.put(
      name,
      resize ? resized(box, "se", x * step, y * step, snap) : moved(box, x * step, y * step, snap),
    );
  }

  eraseByKey(name) {
    this.select(name, false);
    this.erase();
    const next = this.boxes.values().next().value ?? this.draw;
    if (!this.boxes.has(name)) next.focus({ preventScroll: true });
  }

  shortcut(event) {
    if (event.target.matches("input[type=text], select")) return;
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() === "z" && this.live)
      this.ask(event.shiftKey ? "redo" : "undo");
    else if (command && event.key.toLowerCase() === "y" && this.live) this.ask("redo");
    else if (!command && event.key === "[") this.seek(Math.ceil(this.now) - 1);
    else if (!command && event.key === "]") this.seek(Math.floor(this.now) + 1);
    else return;
    event.preventDefault();
  }
}

export default {
  render({ model, el }) {
    const editor = new Editor(model, el);
    return () => editor.close();
  },
};
