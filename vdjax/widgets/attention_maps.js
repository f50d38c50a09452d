// Attention maps as Python's attention_wire lays them out: finding one, enlarging it, colouring it.

function bytesOf(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function floatsOf(view) {
  // A copy: floats must begin at a multiple of four bytes, and a message's buffers may not.
  return new Float32Array(bytesOf(view).slice().buffer);
}

/** The least and the most of `count` pairs of a least and a most, from pair `start` on. */
function rangeOf(pairs, start, count) {
  let [low, high] = [pairs[2 * start], pairs[2 * start + 1]];
  for (let at = start + 1; at < start + count; at += 1) {
    low = Math.min(low, pairs[2 * at]);
    high = Math.max(high, pairs[2 * at + 1]);
  }
  return [low, high];
}

/** The maps of one record. Steps count from 0 and the mean over steps is the last of them. */
class Maps {
  constructor(side) {
    this.side = side;
    this.steps = side.timesteps.length + 1;
    this.codes = bytesOf(side.maps);
    this.ranges = floatsOf(side.ranges);
    this.shares = floatsOf(side.shares);
    this.places = new Map(side.tokens.map(({ label }, at) => [label, at]));
    let start = 0;
    this.layers = side.layers.map((layer) => {
      const own = { ...layer, start, size: layer.height * layer.width };
      start += this.steps * side.tokens.length * side.frames * own.size;
      return own;
    });
  }

  /** Which of the layers: 0 is their mean. */
  layerAt(name) {
    return Math.max(0, this.layers.findIndex((layer) => layer.name === name));
  }

  /** The codes of a map, the values of the first and the last code, and its size; or null. */
  map(token, step, layer, frame) {
    const place = this.places.get(token);
    if (place === undefined) return null;
    const { start, size, height, width } = this.layers[layer];
    const at = (step * this.side.tokens.length + place) * this.side.frames + frame;
    const range = 2 * (layer * this.steps * this.side.tokens.length * this.side.frames + at);
    const codes = this.codes.subarray(start + at * size, start + (at + 1) * size);
    return { codes, low: this.ranges[range], high: this.ranges[range + 1], height, width };
  }

  /** The least and the most of a token's maps over all frames; or null. */
  range(token, step, layer) {
    const place = this.places.get(token);
    if (place === undefined) return null;
    const { tokens, frames } = this.side;
    return rangeOf(this.ranges, ((layer * this.steps + step) * tokens.length + place) * frames, frames);
  }

  share(token, step, layer, frame) {
    const place = this.places.get(token);
    if (place === undefined) return NaN;
    const row = (layer * this.steps + step) * this.side.tokens.length + place;
    return this.shares[row * this.side.frames + frame];
  }
}

/** The heads of one token at one layer, in one record; they came when they were asked for. */
class Heads {
  constructor(maps, layer, pack) {
    Object.assign(this, { maps, layer: maps.layers[layer] });
    this.codes = bytesOf(pack.maps);
    this.ranges = floatsOf(pack.ranges);
    this.shares = floatsOf(pack.shares);
  }

  at(head, step, frame) {
    return (head * this.maps.steps + step) * this.maps.side.frames + frame;
  }

  map(head, step, frame) {
    const { size, height, width } = this.layer;
    const at = this.at(head, step, frame);
    const codes = this.codes.subarray(at * size, (at + 1) * size);
    return { codes, low: this.ranges[2 * at], high: this.ranges[2 * at + 1], height, width };
  }

  range(head, step) {
    return rangeOf(this.ranges, this.at(head, step, 0), this.maps.side.frames);
  }

  share(head, step, frame) {
    return this.shares[this.at(head, step, frame)];
  }
}

/** For each of `wide` pixels the two of `cells` cells that it lies between, and its share of the
 * second: bilinear, with pixels' middles on cells' middles, as Python's overlay enlarges. */
const betweens = new Map();
function between(cells, wide) {
  const key = `${cells}/${wide}`;
  if (!betweens.has(key)) {
    const first = new Int32Array(wide);
    const second = new Int32Array(wide);
    const share = new Float32Array(wide);
    for (let x = 0; x < wide; x += 1) {
      const at = Math.min(cells - 1, Math.max(0, ((x + 0.5) * cells) / wide - 0.5));
      first[x] = Math.floor(at);
      second[x] = Math.min(cells - 1, first[x] + 1);
      share[x] = at - first[x];
    }
    betweens.set(key, { first, second, share });
  }
  return betweens.get(key);
}

/** A factor and a summand that take a map's codes to places in a table of 256 colours. */
function scaling({ low, high }, [least, most]) {
  const unit = 256 / (most - least || 1);
  return [((high - low) / 255) * unit, (low - least) * unit];
}

const clamp = (place) => (place < 0 ? 0 : place > 255 ? 255 : place | 0);

/** Paints grey pixels and a map upon them into `image` (an ImageData of the frame's size). */
function paintOverlay(image, grey, map, limits, table, opacity) {
  const { data, width: wide, height: tall } = image;
  const { codes, width, height } = map;
  const [factor, summand] = scaling(map, limits);
  const across = between(width, wide);
  const down = between(height, tall);
  const rest = 1 - opacity;
  let pixel = 0;
  for (let y = 0; y < tall; y += 1) {
    const upper = down.first[y] * width;
    const lower = down.second[y] * width;
    const below = down.share[y];
    for (let x = 0; x < wide; x += 1) {
      const a = across.first[x];
      const b = across.second[x];
      const right = across.share[x];
      const top = codes[upper + a] + (codes[upper + b] - codes[upper + a]) * right;
      const bottom = codes[lower + a] + (codes[lower + b] - codes[lower + a]) * right;
      const place = 3 * clamp(factor * (top + (bottom - top) * below) + summand);
      const shade = rest * grey[pixel];
      data[4 * pixel] = shade + opacity * table[place] + 0.5;
      data[4 * pixel + 1] = shade + opacity * table[place + 1] + 0.5;
      data[4 * pixel + 2] = shade + opacity * table[place + 2] + 0.5;
      data[4 * pixel + 3] = 255;
      pixel += 1;
    }
  }
}

/** The map alone, a pixel per cell, as a small canvas. */
function paintCells(canvas, map, limits, table) {
  const { codes, width, height } = map;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const [factor, summand] = scaling(map, limits);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = context.createImageData(width, height);
  for (let cell = 0; cell < codes.length; cell += 1) {
    const place = 3 * clamp(factor * codes[cell] + summand);
    image.data[4 * cell] = table[place];
    image.data[4 * cell + 1] = table[place + 1];
    image.data[4 * cell + 2] = table[place + 2];
    image.data[4 * cell + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** All frames of a sheet in colour and in grey, read once. */
async function readFrames(sheet) {
  const image = await sheetBitmap(sheet);
  const { width, height, count, columns } = sheet;
  const canvas = h("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return Array.from({ length: count }, (_, index) => {
    const [x, y] = [(index % columns) * width, Math.floor(index / columns) * height];
    context.drawImage(image, x, y, width, height, 0, 0, width, height);
    const colour = context.getImageData(0, 0, width, height);
    const grey = new Float32Array(width * height);
    for (let at = 0; at < grey.length; at += 1) {
      grey[at] = (colour.data[4 * at] + colour.data[4 * at + 1] + colour.data[4 * at + 2]) / 3;
    }
    return { colour, grey };
  });
}
