// PlanViewer: the scenes of a plan as cards, and above them who is the same over the scenes.

class Plan {
  constructor(model, el) {
    this.model = model;
    this.told = []; // what each card shows, so that cards that stay are left alone
    this.build(el);
    const all = () => this.draw();
    this.unlisten = listen(model, {
      scenes: all,
      groups: all,
      palette: all,
      prompt: all,
      selected: all,
      state: () => this.stateChanged(),
      report: () => this.reported(),
    });
    this.draw();
    this.stateChanged();
    this.reported();
  }

  close() {
    this.unlisten();
  }

  get scenes() {
    return this.model.get("scenes");
  }
  get names() {
    return [...new Set(this.scenes.flatMap((scene) => scene.entities))];
  }
  get styles() {
    return entityStyles(this.model.get("palette"), this.names);
  }

  build(el) {
    this.title = h("p", { class: "pv-prompt" });
    this.map = h("table", { class: "pv-map" });
    this.mapBox = h(
      "div",
      {
        class: "pv-scroll",
        tabindex: 0,
        role: "group",
        "aria-label": "Who is the same over the scenes",
      },
      this.map,
    );
    this.cards = h("ol", { class: "pv-cards" });
    this.report = h("div", { class: "pv-report vdjax-faint" });
    this.root = makeRoot(el, "plan", this.title, this.mapBox, this.cards, this.report);
    this.say = announcer(this.root);
  }

  stateChanged() {
    const count = this.scenes.length;
    const many = (n) => `${n} scene${n === 1 ? "" : "s"}`;
    const boxes = this.scenes.filter((scene) => scene.keyframes.length).length;
    this.say(
      {
        waiting: "Waiting for a plan …",
        story: `The story is being written: ${many(count)} so far …`,
        layouts: `The story has ${many(count)}; ${boxes} with boxes …`,
        done: `The plan is done: ${many(count)}.`,
      }[this.model.get("state")],
    );
    this.root.setAttribute("aria-busy", String(this.model.get("state") !== "done"));
  }

  draw() {
    this.title.textContent = this.model.get("prompt");
    this.title.hidden = !this.title.textContent;
    this.drawMap();
    this.drawCards();
    this.stateChanged();
  }

  // Groups: a row per name, a column per scene, a line through the scenes that share a look.

  drawMap() {
    const groups = Object.entries(this.model.get("groups"));
    const order = (name) =>
      this.names.includes(name) ? this.names.indexOf(name) : this.names.length;
    groups.sort(([a], [b]) => order(a) - order(b));
    this.mapBox.hidden = !groups.length;
    const focused =
      this.map.contains(document.activeElement) && document.activeElement.dataset.name;
    const heads = this.scenes.map((_, s) => h("th", { scope: "col" }, `scene ${s + 1}`));
    this.map.replaceChildren(
      h(
        "caption",
        {},
        "Who is the same over the scenes: a line joins the scenes in which something keeps its look",
      ),
      h("thead", {}, h("tr", {}, h("td"), heads)),
      h(
        "tbody",
        {},
        groups.map(([name, numbers]) => this.mapRow(name, numbers)),
      ),
    );
    if (focused)
      [...this.map.querySelectorAll("button")].find((el) => el.dataset.name === focused)?.focus();
  }

  mapRow(name, numbers) {
    const style = this.styles[name] ?? ["#7d8590", ""];
    const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
    const cells = this.scenes.map((scene, s) => {
      const n = s + 1;
      const there = scene.entities.includes(name) || scene.background === name;
      const shared = numbers.includes(n);
      const from = n > first && n <= last ? 0 : 50;
      const to = n >= first && n < last ? 100 : 50;
      const words = shared
        ? numbers.length > 1
          ? "the same"
          : "here"
        : there
          ? "a look of its own"
          : "";
      return h(
        "td",
        { title: words && `${name} in scene ${n}: ${words}` },
        from < to && this.line(style, from, to, n > first && n < last && !shared),
        there &&
          h("i", { class: `pv-dot${shared ? "" : " pv-alone"}`, style: `--own:${style[0]}` }),
        h("span", { class: "pv-hidden" }, words || "not here"),
      );
    });
    const on = this.model.get("selected") === name;
    const chip = h(
      "button",
      {
        type: "button",
        "data-name": name,
        "aria-pressed": String(on),
        title: `Look at ${name} over the scenes`,
        onclick: () => save(this.model, { selected: on ? "" : name }),
      },
      this.styles[name]
        ? lineSample(style)
        : h("span", { class: "pv-place", "aria-hidden": "true" }, "▭"),
      name,
    );
    return h("tr", { class: on && "pv-on" }, h("th", { scope: "row" }, chip), cells);
  }

  line([colour, dashes], from, to, past) {
    return h(
      "svg",
      {
        class: "pv-line",
        viewBox: "0 0 100 10",
        preserveAspectRatio: "none",
        "aria-hidden": "true",
      },
      h("line", {
        x1: from,
        x2: to,
        y1: 5,
        y2: 5,
        style: `stroke:${colour}`,
        "stroke-width": past ? 1 : 3,
        "stroke-dasharray": dashes || null,
      }),
    );
  }

  // Scenes.

  drawCards() {
    const selected = this.model.get("selected");
    const look = JSON.stringify([this.styles, selected, this.model.get("shown")]);
    const { scenes } = this;
    while (this.cards.children.length > scenes.length) this.cards.lastChild.remove();
    this.told.length = scenes.length;
    scenes.forEach((scene, s) => {
      const told = JSON.stringify(scene) + look;
      if (this.told[s]?.told === told && this.told[s].data === scene.sheet.data) return;
      this.told[s] = { told, data: scene.sheet.data };
      const card = this.card(scene, s, selected);
      const old = this.cards.children[s];
      if (!old) return this.cards.append(card);
      const folds = [...old.querySelectorAll("details")].filter((el) => el.open);
      const open = folds.map((el) => el.dataset.kind);
      card.querySelectorAll("details").forEach((el) => (el.open = open.includes(el.dataset.kind)));
      return old.replaceWith(card);
    });
  }

  card(scene, s, selected) {
    const placed = scene.keyframes.length > 0;
    const warnings = scene.notes.filter((note) => note.startsWith("warning:"));
    const notes = scene.notes.filter((note) => !note.startsWith("warning:"));
    const place = [scene.background, scene.camera && `camera ${scene.camera}`]
      .filter(Boolean)
      .join(" · ");
    return h(
      "li",
      { class: `pv-card${placed ? "" : " pv-open"}` },
      h(
        "div",
        { class: "pv-head" },
        h("b", {}, `Scene ${s + 1}`),
        h("span", { class: "vdjax-faint" }, place),
      ),
      h("p", { class: "pv-text" }, scene.description),
      h(
        "div",
        { class: "pv-names" },
        scene.entities.map((name) =>
          h(
            "span",
            { class: `pv-name${selected && selected !== name ? " pv-dim" : ""}` },
            lineSample(this.styles[name]),
            name,
          ),
        ),
      ),
      placed
        ? this.thumbs(scene, s, selected)
        : h("p", { class: "pv-wait vdjax-faint" }, "waits for its boxes …"),
      warnings.map((note) => h("p", { class: "pv-note vdjax-warn" }, `⚠ ${note.slice(8).trim()}`)),
      this.fold("notes", `Notes (${notes.length})`, notes),
      this.fold("reasoning", "Why the boxes are there", scene.reasoning ? [scene.reasoning] : []),
      this.fold("captions", "What each keyframe shows", scene.captions, true),
    );
  }

  fold(kind, title, lines, numbered = false) {
    if (!lines.length) return null;
    const list = h(
      numbered ? "ol" : "ul",
      {},
      lines.map((line) => h("li", {}, line)),
    );
    return h("details", { "data-kind": kind }, h("summary", {}, title), list);
  }

  thumbs(scene, s, selected) {
    const shown = this.model.get("shown");
    const views = shown.map((keyframe, i) => {
      const boxes = Object.entries(scene.keyframes[keyframe - 1]);
      const here = boxes.filter(
        ([name]) => selected === "" || !scene.entities.includes(selected) || name === selected,
      );
      const names = boxes.map(([name]) => name).join(", ");
      const view = new FrameView({
        names: false,
        label: `scene ${s + 1}, keyframe ${keyframe}: ${names || "nobody"}`,
      });
      view.show(scene.sheet, i, Object.fromEntries(here), this.styles);
      return h(
        "figure",
        {},
        view.el,
        h("figcaption", { class: "vdjax-faint", "aria-hidden": "true" }, `${keyframe}`),
      );
    });
    return h("div", { class: "pv-thumbs" }, views);
  }

  // The director's report.

  reported() {
    const { words, of_calls: calls = [] } = this.model.get("report");
    this.report.replaceChildren(
      ...(words ? [h("p", {}, words)] : []),
      ...(calls.length ? [this.callTable(calls)] : []),
    );
  }

  callTable(calls) {
    const head = ["call", "about", "tokens asked", "tokens answered", "seconds"];
    return h(
      "details",
      {},
      h("summary", {}, "Call by call"),
      h(
        "div",
        { class: "pv-scroll" },
        h(
          "table",
          { class: "pv-calls" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              head.map((words) => h("th", { scope: "col" }, words)),
            ),
          ),
          h(
            "tbody",
            {},
            calls.map((call, i) =>
              h(
                "tr",
                {},
                h("th", { scope: "row" }, `${i + 1}`),
                [
                  call.what,
                  call.prompt_tokens.toLocaleString("en"),
                  call.completion_tokens.toLocaleString("en"),
                  call.seconds.toFixed(1),
                ].map((cell) => h("td", {}, cell)),
              ),
            ),
          ),
        ),
      ),
    );
  }
}

export default {
  render({ model, el }) {
    const plan = new Plan(model, el);
    return () => plan.close();
  },
};
