// The lines of LayoutEditor: outlines, paths, ghosts and the grid, in thousandths of the frame.

const PAPER = "#fff"; // under every line, so that it is seen on any frame

/** A name and what a screen reader says of its box. */
function spoken(name, box, moment) {
  const when = Number.isInteger(moment) ? `keyframe ${moment}` : "between keyframes";
  if (!box) return `${name}, ${when}: not visible`;
  const [x0, y0, x1, y1] = box;
  return `${name}, ${when}: left ${percent(x0)}, top ${percent(y0)}, ${percent(x1 - x0)} wide, ${percent(y1 - y0)} high`;
}

/** All lines of the view's scene at its moment; `view` is a LayoutView. */
function drawLines(view) {
  const { scene, selected, styles, now, count } = view;
  const parts = view.model.get("snap") ? gridLines(view.model.get("grid")) : [];
  for (const name of scene.entities) {
    const [colour] = styles[name];
    if (name === selected) parts.push(...ghosts(scene, name, count, colour));
    parts.push(...path(scene, name, colour, name === selected));
  }
  for (const name of scene.entities) {
    const box = boxAt(scene, name, now);
    if (box) parts.push(...outline(box, styles[name], name === selected));
  }
  if (view.drawing) parts.push(rectangle(view.drawing, { class: "le-new" }));
  view.svg.replaceChildren(...parts);
}

function rectangle([x0, y0, x1, y1], look) {
  const [x, y, width, height] = [x0, y0, x1 - x0, y1 - y0].map((value) => 1000 * value);
  return h("rect", { x, y, width, height, fill: "none", ...look });
}

function line([x1, y1], [x2, y2], stroke, width, look = {}) {
  const ends = { x1: 1000 * x1, y1: 1000 * y1, x2: 1000 * x2, y2: 1000 * y2 };
  return h("line", { ...ends, stroke, "stroke-width": width, ...look });
}

/** A line without length, whose round ends make a dot of the same size on any screen. */
function dot(at, colour, size) {
  const round = { class: "le-dot" };
  return [line(at, at, PAPER, size + 2, round), line(at, at, colour, size, round)];
}

/** Where something is in every frame. */
function ghosts(scene, name, count, stroke) {
  const moments = Array.from({ length: count }, (_, frame) => momentOf(frame, count));
  const boxes = moments.map((moment) => boxAt(scene, name, moment)).filter(Boolean);
  return boxes.map((box) => rectangle(box, { class: "le-ghost", stroke }));
}

/** The way of a centre: a line between keyframes, a dot at each; a gap where it is not visible. */
function path(scene, name, colour, strong) {
  const opacity = strong ? 1 : 0.6;
  const at = scene.keyframes.map((keyframe) => keyframe[name] && middle(keyframe[name]));
  const lines = at.slice(1).flatMap((to, k) => {
    if (!to || !at[k]) return [];
    return [line(at[k], to, PAPER, 3.5, { opacity }), line(at[k], to, colour, 1.7, { opacity })];
  });
  return [...lines, ...at.filter(Boolean).flatMap((spot) => dot(spot, colour, strong ? 4.5 : 3))];
}

function outline(box, [colour, dashes], strong) {
  const width = strong ? 3.4 : 2.4;
  const under = {
    stroke: PAPER,
    "stroke-width": width + 2.2,
    fill: strong ? `${colour}22` : "none",
  };
  const over = { stroke: colour, "stroke-width": width, "stroke-dasharray": dashes || null };
  return [rectangle(box, under), rectangle(box, over), ...dot(middle(box), colour, 6.5)];
}

function gridLines(grid) {
  const look = { class: "le-grid" };
  return Array.from({ length: Math.ceil(1 / grid) - 1 }, (_, i) => (i + 1) * grid).flatMap((at) => [
    line([at, 0], [at, 1], "#888", 0.6, look),
    line([0, at], [1, at], "#888", 0.6, look),
  ]);
}
