"""The page made from a run's folder: what it says, what it leaves out, and that it stands alone."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from vdjax.errors import UserError
from vdjax.train.report import report
from vdjax.train.reporting.charts import (
    HEIGHT,
    POINTS,
    WIDTH,
    Line,
    bar_chart,
    line_chart,
    running_median,
    short,
)
from vdjax.train.reporting.records import read_run
from vdjax.train.reporting.verdict import SHUT, causes, gate_reach, judge

LAYERS = ("down 0.0", "down 1.0", "mid 0", "up 0.0", "up 0.1")
EMPTY = {"meta", "br", "img", "link", "hr", "input"}
SCHEDULE = {
    "steps": 1000,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "warmup_steps": 100,
    "final_fraction": 0.05,
    "decay": "cosine",
    "ema_decay": 0.999,
}
CONFIG = {
    "stage": "layout",
    "schedule": SCHEDULE,
    "made_of": {"recipe": {"open_gate": 0.5, "caption_kept": 0.5}, "data": "coco"},
    "devices": {"kind": "mesh", "device_kind": "cpu"},
}
UNHEEDED = {"attention/inside": 0.1, "attention/chance": 0.1}
HEEDED = {
    "attention/inside": 0.4,
    "attention/inside_low": 0.35,
    "attention/inside_high": 0.45,
    "attention/inside/t900": 0.4,
    "attention/chance": 0.1,
    "sheet/difference": 0.1,
    "layout/iou": 0.6,
    "layout/iou_low": 0.5,
    "layout/iou_high": 0.7,
    "layout/iou_without": 0.05,
    "layout/found": 0.8,
    "layout/found_low": 0.7,
    "layout/found_high": 0.9,
}


class Reader(HTMLParser):
    """A page as a tree would be made of it; a tag that is not closed in its place is an error."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    @property
    def said(self):
        return re.sub(r"\s+", " ", "".join(self.text))

    def count(self, tag):
        return sum(name == tag for name, _ in self.tags)


def entries(gate=0.3, seen=HEEDED, steps=1000, every=20):
    """A log such as a run leaves: steps, and what watchers saw every tenth entry and at the end."""
    log = []
    for step in range(every, steps + 1, every):
        entry = {
            "step": step,
            "loss": 1.0 / step**0.5,
            "grad_norm": 0.5 + 0.1 * np.sin(step),
            "finite": 1.0,
            "gate": gate,
            "samples_per_second": 12.5,
            "wait_share": 0.01,
        }
        if step % (10 * every) == 0 or step == steps:
            entry |= {"gate/mean": gate, **seen}
            for layer in LAYERS:
                entry[f"gate/{layer}/attention"], entry[f"gate/{layer}/dense"] = gate, -gate
        log.append(entry)
    return log


def opened():
    """A log whose gates began shut."""
    log = entries(0.3)
    first = next(entry for entry in log if "gate/mean" in entry)
    first["gate/mean"] = SHUT / 2
    return log


def write_run(folder, log=None, config=CONFIG, sheets=()):
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(entry) + "\n" for entry in (entries() if log is None else log))
    (folder / "log.jsonl").write_text(lines)
    (folder / "config.json").write_text(json.dumps(config))
    for step in sheets:
        picture = Image.new("RGB", (40 + step % 7, 30), (step % 256, 0, 0))
        (folder / "sheets").mkdir(exist_ok=True)
        picture.save(folder / "sheets" / f"step_{step:06d}.png")
    return folder


def page_of(folder):
    return Reader(report(folder).read_text())


def test_a_whole_run_is_shown_whole(tmp_path):
    run = write_run(tmp_path / "run", sheets=(200, 400, 600, 800, 1000))
    page = page_of(run)
    for said in (
        "Step 1,000 of 1,000",
        "The gates are open (0.30), and were from the start (0.30): that alone says nothing. "
        "Yes, the boxes do something, by what was watched.",
        "Loss",
        "Samples per second",
        "Attention to a token that comes from inside its box",
        "Overlap (IoU) of held-out boxes",
        "4 of 5 sheets",
        "made_of.recipe.open_gate",
    ):
        assert said in page.said
    assert "not watched" not in page.said
    labels = [a["aria-label"] for tag, a in page.tags if tag == "svg" and "aria-label" in a]
    assert len(labels) == page.count("figcaption") - 4  # the others are sheets
    assert any("down 0.0 0.3 at step 200, 0.3 at step 1,000" in label for label in labels)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [a["alt"].split(":")[0] for a in images] == [
        f"Step {n}" for n in ("200", "400", "800", "1,000")
    ]


def test_a_page_stands_alone(tmp_path):
    run = write_run(tmp_path / "run", sheets=(20,))
    text = report(run).read_text()
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<iframe", text)
    assert all(
        a["src"].startswith("data:image/png;base64,") for t, a in Reader(text).tags if t == "img"
    )
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_the_page_is_the_same_each_time_and_goes_where_it_is_told(tmp_path):
    run = write_run(tmp_path / "run", sheets=(20,))
    assert report(run) == run / "report.html"
    other = report(run, tmp_path / "pages" / "one.html")
    assert other == tmp_path / "pages" / "one.html"
    assert other.read_bytes() == (run / "report.html").read_bytes()


@pytest.mark.parametrize(
    ("log", "answer", "says"),
    [
        (entries(0.3), "open", "from the start (0.30): that alone says nothing"),
        (opened(), "open", "Yes: the gates are open. The mean size of tanh(gate) is 0.30."),
        (entries(0.3, {}), "open", "was not watched"),
        (entries(SHUT / 2, UNHEEDED), "shut", "below 0.02"),
        (entries(0.3, UNHEEDED), "idle", "at chance (10.0%, even attention 10.0%)"),
        (entries(0.46, {"sheet/difference": 1e-4}), "idle", "0.03 shades of 255"),
        (entries(0.3, {**HEEDED, "layout/iou": 0.04}), "idle", "no better than without gates"),
        (entries(SHUT / 2, steps=80), "early", "step 80 of 1,000"),
        ([{"step": 500, "loss": 1.0}], "unknown", "no gates"),
    ],
)
def test_the_verdict(tmp_path, log, answer, says):
    run = read_run(write_run(tmp_path / "run", log))
    verdict = judge(run)
    assert verdict.answer == answer
    assert says in verdict.headline
    assert bool(verdict.causes) == (answer in ("shut", "idle"))
    page = page_of(run.folder)
    assert verdict.headline in page.said
    assert any(a.get("class") == f"verdict {answer}" for tag, a in page.tags if tag == "section")


def cause(run, words):
    return [one for one in causes(run) if words in one.why]


def test_causes_are_those_that_the_settings_speak_for(tmp_path):
    recipe = {"open_gate": None, "caption_kept": 1.0}
    schedule = {**SCHEDULE, "learning_rate": 1e-6, "batch_size": 4}
    config = {"schedule": schedule, "made_of": {"recipe": recipe}}
    log = entries(0.001, UNHEEDED)
    log = [{**entry, "gate": 0.01, "finite": float(i % 9 > 0)} for i, entry in enumerate(log)]
    bad = read_run(write_run(tmp_path / "bad", log, config))
    likely = [one.why for one in causes(bad) if one.likely]
    for words in ("rates", "start at zero", "Captions", "here 4", "lags behind", "were skipped"):
        assert any(words in why for why in likely), words
    assert [one.likely for one in causes(bad)] == [True] * 6 + [False] * 2
    good = read_run(write_run(tmp_path / "good", entries(0.001, UNHEEDED)))
    assert not [one for one in causes(good) if one.likely]
    for words in ("start at zero", "Captions", "pictures in a step", "lags", "skipped"):
        assert not cause(good, words)
    unknown = read_run(write_run(tmp_path / "unknown", log, {}))
    assert not cause(unknown, "start at zero")[0].likely


@pytest.mark.loose_dtypes
def test_gates_reach_no_further_than_the_rates_that_the_optimiser_was_given(tmp_path):
    """Held against optax, which is what trains."""
    import optax

    from vdjax.train.stage import Schedule
    from vdjax.train.state import make_optimizer

    for decay in ("cosine", "constant"):
        settings = {**SCHEDULE, "steps": 50, "warmup_steps": 10, "decay": decay}
        config = {"schedule": settings}
        run = read_run(write_run(tmp_path / decay, [{"step": 30, "loss": 1.0}], config))
        del settings["ema_decay"], settings["batch_size"]
        # A gradient of one: Adam then moves by the rate.
        optimizer = make_optimizer(Schedule(batch_size=1, **settings))
        value = np.zeros((), np.float32)
        state = optimizer.init(value)
        for _ in range(30):
            change, state = optimizer.update(np.ones((), np.float32), state, value)
            value = optax.apply_updates(value, change)
        assert gate_reach(run) == pytest.approx(-float(value), rel=1e-3)


def test_a_run_killed_in_the_middle_of_a_line(tmp_path):
    run = write_run(tmp_path / "run", entries(steps=400), sheets=(200,))
    with open(run / "log.jsonl", "a") as file:
        file.write('{"step": 420, "lo')
    (run / "sheets" / "step_000400.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    page = page_of(run)
    assert "Step 400 of 1,000" in page.said
    assert "The last line of log.jsonl is cut short" in page.said
    assert "step_000400.png is left out: it is no whole PNG picture" in page.said
    assert page.count("img") == 1


def test_of_a_step_that_was_run_twice_the_later_counts(tmp_path):
    log = [{"step": step, "loss": float(step)} for step in (1, 2, 3)]
    log += [{"step": 2, "loss": 20.0}, {"step": 3, "loss": 30.0}]
    run = read_run(write_run(tmp_path / "run", log))
    assert [list(column) for column in run.column("loss")] == [[1, 2, 3], [1, 20, 30]]


def test_damage_elsewhere_is_counted_and_what_is_whole_is_shown(tmp_path):
    run = write_run(tmp_path / "run")
    lines = (run / "log.jsonl").read_text().splitlines()
    lines[3:5] = ["", '["no", "entry"]', '{"step": "four"}', "\x00\xff"]
    (run / "log.jsonl").write_bytes("\n".join(lines).encode("latin-1"))
    (run / "config.json").write_text('{"schedule": ')
    page = page_of(run)
    assert "4 of 52 lines of log.jsonl cannot be read" in page.said
    assert "config.json cannot be read" in page.said
    assert "Loss" in page.said


def test_what_is_missing_is_said_to_be_missing(tmp_path):
    run = write_run(tmp_path / "run", [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.4}], {})
    (run / "config.json").unlink()
    page = page_of(run)
    for said in (
        "config.json is missing",
        "no grad_norm in the log",
        "not in the log; the run had no watcher of gates",
        "Attention inside the boxes: not watched",
        "There are none: the run had no watcher of samples",
        "loss 0.5 at step 1, 0.4 at step 2",
    ):
        assert said in page.said


def test_a_run_before_its_first_step(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    page = page_of(tmp_path)
    assert "log.jsonl is missing" in page.said
    assert "Step 0 of 1,000" in page.said
    (tmp_path / "log.jsonl").write_text("")
    assert "Not known: no step was logged." in page_of(tmp_path).said


@pytest.mark.parametrize("what", ["nothing", "a file", "an empty folder", "other things"])
def test_what_is_no_run_is_refused(tmp_path, what):
    folder = tmp_path / "it"
    if what == "a file":
        folder.write_text("text")
    elif what != "nothing":
        folder.mkdir()
    if what == "other things":
        write_run(folder / "guided")
    with pytest.raises(UserError) as refusal:
        report(folder)
    (line,) = str(refusal.value).splitlines()
    assert str(folder) in line
    assert ("guided" in line) == (what == "other things")
    assert not (folder / "report.html").exists()


def test_what_comes_from_the_run_is_text(tmp_path):
    evil = '<script>alert("x")</script><b>&'
    log = entries(steps=400)
    log[-1] |= {f"gate/{evil}/attention": 0.1, f"gate/{evil}/dense": 0.1}
    log[0] |= {"finite": 0.0, "loss": None, "bad": [evil, "two"]}
    config = {**CONFIG, "preset": evil, evil: {"a": evil}}
    page = page_of(write_run(tmp_path / "<b>run", log, config))
    assert not page.count("script")
    assert not page.count("b")
    assert page.said.count(evil) >= 5


def test_skipped_steps_are_listed_with_their_samples(tmp_path):
    log = entries()
    for at in range(3, 28):
        log[at] |= {"loss": None, "finite": 0.0, "bad": [f"picture-{at}"]}
    page = page_of(write_run(tmp_path / "run", log))
    assert "25 of 50 logged steps changed nothing" in page.said
    assert "picture-3" in page.said
    assert "picture-22" in page.said
    assert "picture-23" not in page.said


# --- charts --------------------------------------------------------------------------------------


def line(y, **more):
    y = np.asarray(y, float)
    return Line(name="it", x=np.arange(len(y), dtype=float), y=y, **more)


def polylines(svg):
    return [
        [tuple(map(float, pair.split(","))) for pair in a["points"].split()]
        for tag, a in Reader(svg).tags
        if tag == "polyline"
    ]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "values",
    [[1.0], [2.0, 2.0], [0.0, 0.0], [-3.0, 5.0], [1e-6, 1e9], [0.5, np.nan, 0.7], range(5000)],
    ids=str,
)
def test_lines_stay_in_their_frame(values, log):
    svg = line_chart("title", [line(list(values))], log=log)
    Reader(svg)
    assert "nan" not in svg
    for points in polylines(svg):
        assert len(points) <= POINTS + 2
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_a_line_goes_up_where_its_values_do_and_keeps_its_peak():
    y = np.zeros(20_000)
    y[7_777] = 1.0
    (points,) = polylines(line_chart("title", [line(y)]))
    top = min(points, key=lambda point: point[1])
    assert top[0] == pytest.approx(50 + 360 * 7_777 / 19_999, abs=0.2)
    assert sum(point[1] < HEIGHT / 2 for point in points) == 1


def test_peaks_of_faint_lines_are_cut_at_the_frame():
    y = np.ones(500)
    y[250] = 1000.0
    steady = line(np.linspace(0.5, 1.5, 500))
    faint, drawn = polylines(line_chart("title", [line(y, faint=True), steady]))
    assert min(point[1] for point in faint) >= 10
    assert drawn[0][1] - drawn[-1][1] > 100  # the steady line fills the frame


def test_running_medians_do_not_see_single_peaks():
    y = np.ones(1000)
    y[::10] = 100.0
    median = running_median(line(y), "median", 25)
    assert (median.y == 1.0).all()
    assert len(median.x) <= POINTS
    assert median.x[[0, -1]].tolist() == [0.0, 999.0]


def test_bars_are_as_long_as_their_values():
    svg = bar_chart("title", ["a", "b"], [(0.5, -0.25), (0.0, 0.125)], ["one", "two"])
    widths = [float(a["width"]) for tag, a in Reader(svg).tags if tag == "rect"]
    np.testing.assert_allclose(np.array(widths) / widths[0], [1, 0.5, 0, 0.25], atol=0.01)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (40_000, "40k"), (1.5e6, "1.5M"), (0.125, "0.125"), (3e-5, "3e-5"), (-2.0, "-2")],
)
def test_numbers_are_short(value, said):
    assert short(value) == said


def test_sheets_too_large_for_a_page_are_left_out(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    run = write_run(tmp_path / "run")
    (run / "sheets").mkdir()
    held = io.BytesIO()
    Image.fromarray(noise).save(held, "PNG")
    (run / "sheets" / "step_000020.png").write_bytes(held.getvalue())
    monkeypatch.setattr("vdjax.train.reporting.records.LARGEST_SHEET", 1000)
    page = page_of(run)
    assert not page.count("img")
    assert "step_000020.png is left out" in page.said
