// Small multiples of attention maps, and the share inside a box as a line over the frames.

const CELL = 64; // pixels of a small map on its canvas; the page shows it at whatever size there is

/** Small maps in rows and columns on one canvas: draw(key, rows, columns, cell) where cell(row,
 * column) gives {map, limits, box, share} or null. What was drawn stays while the key is the same;
 * `pick(row, column)` hears of clicks. */
class MapGrid {
  constructor(label, pick) {
    this.small = h("canvas");
    this.canvas = h("canvas", { class: "ai-cells", role: "img", "aria-label": label, onclick: (e) => this.click(e) });
    this.mark = h("div", { class: "ai-mark", "aria-hidden": "true" });
    this.names = h("div", { class: "ai-names", "aria-hidden": "true" });
    this.heads = h("div", { class: "ai-heads", "aria-hidden": "true" });
    this.el = h(
      "div",
      { class: "ai-grid" },
      h("div"),
      this.heads,
      this.names,
      h("div", { class: "ai-cells-box" }, this.canvas, this.mark),
    );
    this.pick = pick;
  }

  click(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = (offset, size, count) =>
      Math.max(0, Math.min(count - 1, Math.floor((offset / size) * count)));
    this.pick(
      at(event.clientY - box.top, box.height, this.rows.length),
      at(event.clientX - box.left, box.width, this.columns.length),
    );
  }

  draw(key, rows, columns, cell, table, numbers) {
    if (key === this.key) return;
    this.key = key;
    if (rows.join("\n") !== this.rows?.join("\n")) this.names.replaceChildren(...rows.map((name) => h("span", {}, name)));
    if (columns.join("\n") !== this.columns?.join("\n")) this.heads.replaceChildren(...columns.map((name) => h("span", {}, name)));
    Object.assign(this, { rows, columns });
    const [width, height] = [columns.length * CELL, rows.length * CELL];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.el.style.setProperty("--columns", columns.length);
    this.el.style.setProperty("--rows", rows.length);
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    rows.forEach((_, row) =>
      columns.forEach((__, column) => {
        const shown = cell(row, column);
        if (shown) this.drawCell(context, column * CELL, row * CELL, shown, table, numbers);
      }),
    );
  }

  drawCell(context, x, y, { map, limits, box, share }, table, numbers) {
    const side = CELL - 3; // the paper between the maps shows through
    paintCells(this.small, map, limits, table);
    context.drawImage(this.small, x + 1.5, y + 1.5, side, side);
    if (box) {
      const [x0, y0, x1, y1] = box.map((part) => 1.5 + part * side);
      for (const [colour, width] of [["#000", 4], ["#fff", 2]]) {
        Object.assign(context, { strokeStyle: colour, lineWidth: width });
        context.strokeRect(x + x0, y + y0, x1 - x0, y1 - y0);
      }
    }
    if (!numbers || !Number.isFinite(share)) return;
    const text = String(Math.round(100 * share));
    context.font = "600 15px sans-serif";
    const wide = context.measureText(text).width;
    // Below the map on the left, or above where the box is there.
    const top = box && box[3] > 0.65 && box[0] < 0.5 ? y + 1.5 : y + CELL - 19.5;
    context.fillStyle = "rgb(0 0 0 / 65%)";
    context.fillRect(x + 1.5, top, wide + 6, 18);
    context.fillStyle = "#fff";
    context.fillText(text, x + 4.5, top + 14.5);
  }

  /** The frame around the cell that is shown large; none where row or column is below 0. */
  point(row, column) {
    this.mark.hidden = row < 0 || column < 0;
    const part = (at, count) => `${(100 * at) / count}%`;
    Object.assign(this.mark.style, {
      left: part(column, this.columns.length),
      top: part(row, this.rows.length),
      width: part(1, this.columns.length),
      height: part(1, this.rows.length),
    });
  }
}

/** The share inside the box over the frames: a line per record, dashed what an even map has. */
class ShareLine {
  constructor() {
    this.svg = h("svg", { class: "ai-chart", viewBox: "0 0 420 112", role: "img" });
    this.el = h("div", { class: "ai-chart-box" }, this.svg);
  }

  /** `lines`: [{name, shares, even, colour, dashes}], values 0..1, NaN where there is no box. */
  draw(lines, frame, label) {
    const frames = Math.max(...lines.map(({ shares }) => shares.length));
    const x = (at) => 42 + (370 * at) / Math.max(1, frames - 1);
    const y = (share) => 94 - 86 * share;
    const path = (values, attributes) => {
      const points = values.map((value, at) => [at, value]).filter(([, value]) => Number.isFinite(value));
      const text = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
      return h("polyline", { points: text, fill: "none", "stroke-width": 2, ...attributes });
    };
    const said = (text, at, attributes) => {
      const el = h("text", { class: "ai-number", ...attributes }, text);
      Object.entries(at).forEach(([name, value]) => el.setAttribute(name, value));
      return el;
    };
    const levels = [0, 0.5, 1].flatMap((level) => [
      h("line", { class: "ai-rule", x1: 42, x2: 412, y1: y(level), y2: y(level) }),
      said(`${100 * level} %`, { x: 37, y: y(level) + 4 }, { "text-anchor": "end" }),
    ]);
    const ends = [
      said("frame 1", { x: 42, y: 109 }, {}),
      said(`frame ${frames}`, { x: 412, y: 109 }, { "text-anchor": "end" }),
    ];
    this.svg.replaceChildren(
      ...levels,
      ...ends,
      h("line", { class: "ai-here", x1: x(frame), x2: x(frame), y1: 6, y2: 94 }),
      ...lines.flatMap(({ shares, even, colour, dashes }) => [
        path(even, { class: "ai-even", "stroke-dasharray": "2 4" }),
        path(shares, { stroke: colour, "stroke-dasharray": dashes || null }),
      ]),
    );
    this.svg.setAttribute("aria-label", label);
  }
}

/** The colours from least to most, with numbers. */
class Legend {
  constructor() {
    this.bar = h("canvas", { class: "ai-bar", width: 256, height: 1, "aria-hidden": "true" });
    this.numbers = h("div", { class: "ai-scale" });
    this.el = h("div", { class: "ai-legend" }, h("span", { class: "vdjax-faint" }, "attention weight"), this.bar, this.numbers);
  }

  draw([least, most], table) {
    const context = this.bar.getContext("2d");
    const image = context.createImageData(256, 1);
    for (let at = 0; at < 256; at += 1) image.data.set([...table.subarray(3 * at, 3 * at + 3), 255], 4 * at);
    context.putImageData(image, 0, 0);
    const texts = [least, (least + most) / 2, most].map(readableWeight);
    this.numbers.replaceChildren(...texts.map((text) => h("span", {}, text)));
  }
}

/** A weight with two digits that say something. */
function readableWeight(value) {
  if (value === 0) return "0";
  return Math.abs(value) < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(2)));
}
