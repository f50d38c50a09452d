// Boxes over nine keyframes: between them, moved, resized, hidden. A scene enters, another leaves; the
// page's twin of vdjax/plan/layout.py.

const KEYFRAMES = 9;
const MIN_SIDE = 0.02; // a box that a finger can still find
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const percent = (value) => `${Math.round(100 * value)} %`;
const round = (box) => box.map((value) => Math.round(clamp(value, 0, 1) * 1e4) / 1e4);
const middle = ([x0, y0, x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2];

/** A box between keyframes, as vdjax/plan/layout.py finds it. `moment` counts from 1; null: unseen. */
function boxAt(scene, name, moment) {
  const at = Math.min(Math.floor(moment - 1), KEYFRAMES - 2);
  const share = moment - 1 - at;
  const [before, after] = [scene.keyframes[at][name], scene.keyframes[at + 1][name]];
  if (before && after) return before.map((value, i) => (1 - share) * value + share * after[i]);
  if (share < 0.5) return before ?? null;
  return share > 0.5 ? (after ?? null) : null;
}

/** When frame `frame` (from 0) of `count` is shown, on the keyframes' scale from 1. */
function momentOf(frame, count) {
  return 1 + (frame * (KEYFRAMES - 1)) / Math.max(count - 1, 1);
}

/** How much of an edit at keyframe k each keyframe takes. */
function shares(extent, k) {
  const last = KEYFRAMES - 1;
  return Array.from({ length: KEYFRAMES }, (_, i) => {
    if (i === k || extent === "path") return 1;
    if (extent === "one") return 0;
    if (extent === "after") return i > k ? 1 : 0;
    return i < k ? i / k : (last - i) / (last - k);
  });
}

/** The scene with the box of `name` at keyframe k put at `next`; other keyframes follow by shares.
 * A path that is moved keeps its shape: it goes as far as all of it stays in the frame. */
function withBox(scene, name, k, extent, next) {
  const old = scene.keyframes[k][name];
  const delta = next.map((value, i) => value - old[i]);
  const moves = Math.abs(delta[0] - delta[2]) < 1e-9 && Math.abs(delta[1] - delta[3]) < 1e-9;
  const weight = shares(extent, k);
  if (moves) {
    scene.keyframes.forEach((keyframe, i) => {
      const box = keyframe[name];
      if (!box || !weight[i]) return;
      [0, 1].forEach((axis) => {
        delta[axis] = clamp(delta[axis], -box[axis] / weight[i], (1 - box[axis + 2]) / weight[i]);
      });
    });
    [delta[2], delta[3]] = delta;
  }
  return withBoxes(scene, name, (box, i) => {
    if (!box || !weight[i]) return box;
    const edges = box.map((value, at) => clamp(value + weight[i] * delta[at], 0, 1));
    if (moves) return edges;
    for (const [low, high] of [
      [0, 2],
      [1, 3],
    ]) {
      if (edges[high] - edges[low] >= MIN_SIDE) continue;
      const fixed = delta[low] ? high : low; // the edge that nobody pulls stays
      if (fixed === low) edges[high] = edges[low] + MIN_SIDE;
      else edges[low] = edges[high] - MIN_SIDE;
    }
    return edges;
  });
}

/** The scene with each keyframe's box of `name` changed by change(box or undefined, k). */
function withBoxes(scene, name, change) {
  const keyframes = scene.keyframes.map((keyframe, k) => {
    const { [name]: box, ...rest } = keyframe;
    const made = change(box, k);
    return made ? { ...rest, [name]: made === box ? box : round(made) } : rest;
  });
  const entities = scene.entities.includes(name) ? scene.entities : [...scene.entities, name];
  return { ...scene, entities, keyframes };
}

/** The scene with something out of sight in an edit's keyframes; gone if it is in none any more. */
function without(scene, name, k, extent) {
  const hidden = extent === "bend" ? shares("path", k) : shares(extent, k);
  const made = withBoxes(scene, name, (box, i) => (hidden[i] ? null : box));
  const left = made.keyframes.some((keyframe) => keyframe[name]);
  return left ? made : { ...made, entities: made.entities.filter((other) => other !== name) };
}

function moved([x0, y0, x1, y1], dx, dy, snap) {
  const [x, y] = [
    clamp(dx ? snap(x0 + dx) : x0, 0, 1 - (x1 - x0)),
    clamp(dy ? snap(y0 + dy) : y0, 0, 1 - (y1 - y0)),
  ];
  return [x, y, x + (x1 - x0), y + (y1 - y0)];
}

function resized([x0, y0, x1, y1], edge, dx, dy, snap) {
  return [
    edge.includes("w") ? clamp(snap(x0 + dx), 0, x1 - MIN_SIDE) : x0,
    edge.includes("n") ? clamp(snap(y0 + dy), 0, y1 - MIN_SIDE) : y0,
    edge.includes("e") && dx ? clamp(snap(x1 + dx), x0 + MIN_SIDE, 1) : x1,
    edge.includes("s") && dy ? clamp(snap(y1 + dy), y0 + MIN_SIDE, 1) : y1,
  ];
}
