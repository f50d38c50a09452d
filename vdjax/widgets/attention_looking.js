// What an AttentionInspector looks at: a model's choice, the map, its scale and its share of the box;
// and the same in Python. Steps, frames and heads count from 0 here; head -1 is the mean.

const MEAN = "mean of the layers";

// What a view makes of a model's arrays is the same for all its views.
const made = new WeakMap();
function partsOf(model) {
  const sides = model.get("sides");
  if (!made.has(sides)) {
    const maps = sides.map((side) => new Maps(side));
    const tables = Object.fromEntries(
      Object.entries(model.get("tables")).map(([name, table]) => [name, bytesOf(table)]),
    );
    const frames = Promise.all(sides.map(({ sheet }) => readFrames(sheet)));
    made.set(sides, { maps, tables, frames, heads: new Map() });
  }
  return made.get(sides);
}

/** A model and its arrays: look() is what is chosen, shown(look, side) is what it shows. */
class Looking {
  constructor(model) {
    this.model = model;
    this.parts = partsOf(model);
    this.maps = this.parts.maps;
    this.first = this.maps[0];
  }

  get(name) {
    return this.model.get(name);
  }

  look() {
    const { steps, side, layers } = this.first;
    const token = this.first.places.has(this.get("token")) ? this.get("token") : side.tokens[0].label;
    const step = this.get("step");
    const layer = this.first.layerAt(this.get("layer"));
    const heads = layer ? layers[layer].heads : 0;
    return {
      token,
      step: step >= 1 && step < steps ? step - 1 : steps - 1,
      layer,
      head: this.get("head") <= heads ? this.get("head") - 1 : -1,
      frame: Math.max(0, Math.min(side.frames, this.get("frame")) - 1),
      kind: side.tokens[this.first.places.get(token)].kind,
    };
  }

  /** The map, the share inside and the scale of a look, in record `side`; null where it has none. */
  shown(look, side, frame = look.frame) {
    const maps = this.maps[side];
    const heads = look.head < 0 ? null : this.parts.heads.get(`${look.token}\n${look.layer}`);
    const own = heads?.sides[side];
    if (heads && !own) return null;
    const map = own ? own.map(look.head, look.step, frame) : maps.map(look.token, look.step, look.layer, frame);
    if (!map) return null;
    const share = own
      ? own.share(look.head, look.step, frame)
      : maps.share(look.token, look.step, look.layer, frame);
    return { map, share, limits: this.limits(look, map, heads) };
  }

  /** The values of the darkest and the brightest colour; all records share them, but for a map's. */
  limits(look, map, heads) {
    const norm = this.get("norm");
    if (norm === "map") return [map.low, map.high];
    if (norm === "absolute") return [0, this.get("most")[heads ? "heads" : "means"][look.kind]];
    const ranges = this.maps
      .map((maps, side) =>
        heads ? heads.sides[side]?.range(look.head, look.step) : maps.range(look.token, look.step, look.layer),
      )
      .filter(Boolean);
    return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
  }

  boxOf(side, token, frame) {
    return this.maps[side].side.boxes[token]?.[frame] ?? null;
  }

  shareWords(look, side, shown) {
    if (!shown) return "not looked at in this record";
    const record = this.maps[side].side;
    const off = look.kind === "box" && record.gated[look.step] === false;
    if (off) return "the gates are off in this step: the token is not looked at";
    const box = this.boxOf(side, look.token, look.frame);
    if (!box || !Number.isFinite(shown.share)) return record.boxes[look.token] ? "no box in this frame" : "no box: the whole frame";
    const even = (box[2] - box[0]) * (box[3] - box[1]);
    const times = shown.share / even;
    return `${percent(shown.share)} inside its box: ${times.toFixed(1)} × chance (${percent(even)})`;
  }

  /** The call that draws a look. */
  python(look) {
    const { side, layers, steps } = this.first;
    const text = (value) => JSON.stringify(value);
    const boxes = this.get("boxes") && Object.keys(side.boxes).length > 0;
    const named = {
      frame: look.frame + 1,
      step: look.step < steps - 1 && look.step + 1,
      layer: look.layer > 0 && text(layers[look.layer].name),
      head: look.head >= 0 && look.head + 1,
      norm: text(this.get("norm")),
      colours: text(this.get("colours")),
      opacity: Number(this.get("opacity").toFixed(2)),
      plan: boxes && "plan",
      scene: boxes && this.get("scene"),
      compare: this.maps.length > 1 && (boxes && this.get("own_plan") ? "(record_b, frames_b, plan_b)" : "(record_b, frames_b)"),
      titles: this.maps.length > 1 && `(${this.maps.map((maps) => text(maps.side.title)).join(", ")})`,
    };
    const given = Object.entries(named).filter(([, value]) => value !== false);
    const lines = given.map(([name, value]) => `    ${name}=${value},`);
    return [
      "from vdjax.inspect.attention_pictures import attention_view",
      "",
      "attention_view(",
      `    record, frames, ${text(look.token)},`,
      ...lines,
      ")",
    ].join("\n");
  }
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}
