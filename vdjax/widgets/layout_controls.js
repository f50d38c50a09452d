// The elements of LayoutEditor, and where they stand. What they do is the view's.

const EXTENTS = {
  path: "the whole path",
  one: "this keyframe",
  after: "this keyframe and all after it",
  bend: "the path, bent (its ends stay)",
};
const EDGES = {
  nw: "left top",
  n: "top",
  ne: "right top",
  e: "right",
  se: "right bottom",
  s: "bottom",
  sw: "left bottom",
  w: "left",
};

/** Every element that the view keeps, by name. */
function makeControls(view) {
  return { ...makeStage(view), ...makeTime(view), ...makeTools(view), ...makeNaming(view) };
}

function button(text, title, onclick, more = {}) {
  return h("button", { type: "button", title, onclick, ...more }, text);
}

function makeStage(view) {
  const lines = { viewBox: "0 0 1000 1000", preserveAspectRatio: "none", "aria-hidden": "true" };
  const canvas = h("canvas", { class: "le-canvas", "aria-hidden": "true" });
  const svg = h("svg", { class: "le-lines", ...lines });
  const layer = h("div", { class: "le-boxes" });
  const handles = h(
    "div",
    { class: "le-handles", hidden: true },
    Object.entries(EDGES).map(makeHandle),
  );
  const events = {
    onpointerdown: (event) => view.grab(event),
    onpointermove: (event) => view.pull(event),
    onpointerup: (event) => view.drop(event),
    onpointercancel: () => view.drag && view.abandon(),
    onkeydown: (event) => view.key(event),
  };
  const about = { role: view.live ? "application" : "group", "aria-label": "Boxes over the frame" };
  const stage = h("div", { class: "le-stage", ...about, ...events }, canvas, svg, layer, handles);
  return { canvas, svg, layer, handles, stage };
}

function makeHandle([edge, words]) {
  return h("i", { class: `le-handle le-${edge}`, "data-edge": edge, title: `Resize: ${words}` });
}

/** What is taken hold of, by pointers and by Tab: the box of one name. */
function makeBox(view, name) {
  const about = { role: "button", tabindex: 0, "aria-roledescription": "box" };
  const onfocus = () => view.select(name, false);
  const label = h("span", { class: "le-label" }, name);
  const el = h("div", { class: "le-box", "data-name": name, ...about, onfocus }, label);
  view.layer.append(el);
  return el;
}

function makeTime(view) {
  const play = button("Play", "Play the scene", () => view.toggle());
  const slider = h("input", {
    ...{ type: "range", min: 0, step: 1, "aria-label": "Frame" },
    oninput: () => view.seek(momentOf(Number(slider.value), view.count), false),
    onchange: () => view.model.save_changes(),
  });
  const where = h("span", { class: "le-where" });
  const marks = h("div", { class: "le-marks", role: "group", "aria-label": "Keyframes" });
  for (let k = 1; k <= KEYFRAMES; k += 1) {
    marks.append(button(`${k}`, `Keyframe ${k}`, () => view.seek(k)));
  }
  return { play, slider, where, marks };
}

function makeTools(view) {
  const titles = {
    draw: "Draw a new box: press, then drag over the frame. With a key: a box in the middle",
    remove: "Delete the selected box in the keyframes that edits change (Delete)",
    reveal: "Show the selected box in the keyframes that edits change",
    render: "Make this scene's frames from the boxes",
  };
  const off = { "aria-pressed": "false" };
  const options = Object.entries(EXTENTS).map(([value, words]) => h("option", { value }, words));
  const onchange = () => save(view.model, { extent: extent.value });
  const extent = h("select", { onchange }, options);
  const onsnap = () => save(view.model, { snap: snap.checked });
  const snap = h("input", { type: "checkbox", onchange: onsnap });
  return {
    tabs: h("div", { class: "vdjax-row", role: "tablist", "aria-label": "Scenes" }),
    panel: h("div", { class: "le-columns", role: "tabpanel" }),
    caption: h("p", {}),
    cast: h("div", {
      class: "vdjax-row le-cast",
      role: "group",
      "aria-label": "Things in the scene",
    }),
    draw: button("Draw box", titles.draw, (event) => view.toggleDraw(event), off),
    remove: button("Delete", titles.remove, () => view.erase()),
    reveal: button("Show here", titles.reveal, () => view.showHere()),
    undo: button("Undo", "Undo (Ctrl+Z)", () => view.ask("undo")),
    redo: button("Redo", "Redo (Ctrl+Shift+Z)", () => view.ask("redo")),
    render: button("Render this scene", titles.render, () => view.ask("render"), {
      class: "vdjax-main",
    }),
    cancel: button("Cancel", "Stop after this step", () => view.ask("cancel")),
    bar: h("progress", { "aria-label": "Rendering" }),
    done: h("span", { role: "status", "aria-live": "polite" }),
    rendering: h("div", { class: "vdjax-row" }),
    total: h("h4", { "aria-live": "polite" }),
    list: h("ul", { class: "le-findings" }),
    extent,
    snap,
  };
}

/** The line in which a new box gets its name. */
function makeNaming(view) {
  const id = `le-${Math.random().toString(36).slice(2)}`;
  const hints = { placeholder: "such as cat", autocomplete: "off", list: id };
  const name = h("input", { type: "text", maxlength: 60, ...hints });
  const known = h("datalist", { id });
  const onsubmit = (event) => view.christen(event);
  const onkeydown = (event) => {
    if (event.key === "Escape") view.abandon(true);
    // In JupyterLab, Enter submits nothing by itself.
    if (event.key === "Enter" && event.target === name) view.christen(event);
  };
  const naming = h(
    "form",
    { class: "vdjax-row", hidden: true, onsubmit, onkeydown },
    h("label", {}, "Name of the new box", name),
    known,
    h("button", { class: "vdjax-main" }, "Add"),
    button("Cancel", "Cancel (Escape)", () => view.abandon(true)),
  );
  return { name, known, naming };
}

/** The elements in their order; without those that need Python where none listens. */
function arrange(view, live) {
  const row = (...children) => h("div", { class: "vdjax-row" }, ...children);
  view.rendering.append(view.render, view.cancel, view.bar, view.done);
  const editing = [
    row(view.draw, view.remove, view.reveal, view.undo, view.redo),
    row(h("label", {}, "Edits change", view.extent), h("label", {}, view.snap, "Snap to grid")),
    view.rendering,
  ];
  const time = [
    row(view.play, view.slider, view.where),
    h("p", { class: "vdjax-faint le-small" }, "Keyframes"),
    view.marks,
  ];
  const left = h("div", {}, view.stage, view.naming, ...time);
  const findings = [view.total, view.list];
  const right = h("div", {}, view.cast, live && editing, findings, live && helpText());
  view.panel.append(left, right);
  return [view.tabs, view.caption, view.panel];
}

function helpText() {
  const text =
    "Drag a box or its handles; drag over an empty place (by touch: after Draw box) for a new one." +
    " Tab goes from box to box, arrows move, Shift and arrows resize, Delete deletes," +
    " [ and ] go to the keyframe before and after, Ctrl+Z and Ctrl+Shift+Z undo and redo.";
  return h(
    "details",
    {},
    h("summary", {}, "Keys and mouse"),
    h("p", { class: "vdjax-faint" }, text),
  );
}
