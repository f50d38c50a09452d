// What the modules of all widgets stand on; it comes before each of them, in one module.

/** An element: h("button", { class: "vdjax-button", onclick }, "Play"). Text is never read as HTML.
 * Properties that hold functions are listened to; null and false ones are left out. */
function h(tag, properties = {}, ...children) {
  const svg = /^(svg|g|rect|path|circle|line|polyline|text|image)$/.test(tag);
  const el = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") el.addEventListener(name.slice(2), value);
    else if (value != null && value !== false) el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.flat().filter((child) => child != null && child !== false));
  return el;
}

/** Listens to a model's traits; returns what stops all of it: const stop = listen(model, { frame: draw }). */
function listen(model, handlers) {
  const entries = Object.entries(handlers).map(([name, handler]) => {
    // A function of its own: two views may share a handler, and `off` must take one of them.
    return [name.includes(":") ? name : `change:${name}`, (...rest) => handler(...rest)];
  });
  entries.forEach(([event, handler]) => model.on(event, handler));
  return () => entries.forEach(([event, handler]) => model.off(event, handler));
}

/** Sets traits and tells Python at once. */
function save(model, values) {
  Object.entries(values).forEach(([name, value]) => model.set(name, value));
  model.save_changes();
}

/** A root element for a widget: notebooks keep their shortcuts to themselves while focus is within. */
function makeRoot(el, name, ...children) {
  const root = h(
    "section",
    {
      class: `vdjax vdjax-${name}`,
      onfocusin: ({ target }) => {
        // JupyterLab's; it looks no further up than the first element that a shortcut is for.
        target.setAttribute("data-lm-suppress-shortcuts", "true");
        window.Jupyter?.keyboard_manager?.disable?.(); // the classic notebook's
      },
      onfocusout: () => window.Jupyter?.keyboard_manager?.enable?.(),
    },
    ...children,
  );
  el.replaceChildren(root);
  return root;
}

/** A line that a screen reader speaks whenever it changes: const say = announcer(root); say("…"). */
function announcer(root) {
  const line = h("p", { class: "vdjax-said", role: "status", "aria-live": "polite" });
  root.append(line);
  return (text) => {
    line.textContent = text;
  };
}

/** A picture from bytes (a DataView), as a bitmap; null where there are none. */
async function bitmap(data, type = "image/webp") {
  if (!data?.byteLength) return null;
  return createImageBitmap(new Blob([data], { type }));
}

/** Draws frame `index` (from 0) of a sheet made by Python's `sheet` on a canvas; `image` is its
 * bitmap. Small frames are shown as squares. */
function drawFrame(canvas, sheet, image, index) {
  const { columns, width, height, count } = sheet;
  const at = Math.max(0, Math.min(count - 1, index));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const [x, y] = [(at % columns) * width, Math.floor(at / columns) * height];
  canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, width, height);
}

/** Colour and dash pattern of each name, as Python's `entity_styles` gives them. */
function entityStyles(palette, names) {
  return Object.fromEntries(
    [...new Set(names)].map((name, i) => [name, palette[i % palette.length]]),
  );
}

/** A short line in a name's colour and dashes, for legends. */
function lineSample([colour, dashes]) {
  return h(
    "svg",
    { class: "vdjax-sample", viewBox: "0 0 26 8", "aria-hidden": "true" },
    h("line", {
      x1: 0,
      x2: 26,
      y1: 4,
      y2: 4,
      stroke: colour,
      "stroke-width": 3,
      "stroke-dasharray": dashes || null,
    }),
  );
}

/** Black or white, whichever is easier to read on a colour #rrggbb (luma of Rec. 601). */
function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 135 ? "#111" : "#fff";
}
