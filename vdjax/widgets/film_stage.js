// Frames with boxes over them, and a clock that plays them; for the widgets that show films.

const bitmaps = new WeakMap();

/** The bitmap of a sheet, decoded once for all views; null where the sheet holds nothing. */
function sheetBitmap(sheet) {
  if (!sheet?.data?.byteLength) return Promise.resolve(null);
  if (!bitmaps.has(sheet.data)) bitmaps.set(sheet.data, bitmap(sheet.data));
  return bitmaps.get(sheet.data);
}

/** One clip on the page: show(sheet, index, boxes, styles) draws frame `index` (from 0) and boxes
 * {name: [x0, y0, x1, y1] or null} in 0..1. Without a sheet the boxes stand on an empty stage. */
class FrameView {
  constructor({ label = "", names = true } = {}) {
    this.names = names;
    this.canvas = h("canvas", { class: "fs-canvas", "aria-hidden": "true" });
    this.svg = h("svg", {
      class: "fs-boxes",
      viewBox: "0 0 1000 1000",
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    this.chips = h("div", { class: "fs-chips", "aria-hidden": "true" });
    this.el = h(
      "div",
      { class: "fs-stage", role: "img", "aria-label": label },
      this.canvas,
      this.svg,
      this.chips,
    );
    this.wanted = null;
  }

  show(sheet, index, boxes = {}, styles = {}) {
    this.wanted = [sheet, index];
    this.canvas.hidden = !sheet?.data?.byteLength;
    this.el.classList.toggle("fs-empty", this.canvas.hidden);
    this.el.style.aspectRatio = sheet?.width ? `${sheet.width} / ${sheet.height}` : "1";
    if (this.image && this.sheet === sheet) drawFrame(this.canvas, sheet, this.image, index);
    else if (!this.canvas.hidden) this.load(sheet);
    this.outline(boxes, styles);
  }

  async load(sheet) {
    const image = await sheetBitmap(sheet);
    if (this.wanted[0] !== sheet) return; // another clip was asked for meanwhile
    [this.sheet, this.image] = [sheet, image];
    drawFrame(this.canvas, sheet, image, this.wanted[1]);
  }

  outline(boxes, styles) {
    const seen = Object.entries(boxes).filter(([, box]) => box);
    const rect = ([x0, y0, x1, y1], stroke, width, dashes) =>
      h("rect", {
        x: 1000 * x0,
        y: 1000 * y0,
        width: 1000 * (x1 - x0),
        height: 1000 * (y1 - y0),
        stroke,
        "stroke-width": width,
        "stroke-dasharray": dashes || null,
      });
    this.svg.replaceChildren(
      ...seen.flatMap(([name, box]) => {
        const [colour, dashes] = styles[name];
        const line = rect(box, colour, this.names ? 2.5 : 1.8, dashes);
        // On pictures of any colour a line needs a light one under it.
        return this.canvas.hidden ? [line] : [rect(box, "#fff", this.names ? 4 : 3), line];
      }),
    );
    this.chips.replaceChildren();
    if (!this.names) return;
    const taken = [];
    for (const [name, [x0, y0]] of seen) {
      const [colour] = styles[name];
      // A name goes below another that is already there; 8 % of the frame is a name's height.
      let top = Math.min(y0, 0.92);
      while (taken.some(([x, y]) => Math.abs(x - x0) < 0.25 && Math.abs(y - top) < 0.08))
        top += 0.08;
      taken.push([x0, top]);
      const style = `left:${100 * x0}%;top:${100 * top}%;background:${colour};color:${inkOn(colour)}`;
      this.chips.append(h("span", { class: "fs-chip", style }, name));
    }
  }
}

/** Calls `tick` so many times a second: const clock = new Clock(tick); clock.start(8); */
class Clock {
  constructor(tick) {
    this.tick = tick;
    this.timer = null;
  }
  get running() {
    return this.timer !== null;
  }
  start(perSecond) {
    this.stop();
    this.timer = setInterval(this.tick, 1000 / perSecond);
  }
  stop() {
    clearInterval(this.timer);
    this.timer = null;
  }
}
