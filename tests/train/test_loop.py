"""The training loop, on a stage of three numbers: what it computes, keeps, and goes on from."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from train.line import Line, schedule

from vdjax.errors import UserError
from vdjax.train import parallel
from vdjax.train.loop import run_stage
from vdjax.train.state import create_state, make_train_step
from vdjax.weights.store import load_tree

pytestmark = pytest.mark.loose_dtypes  # optax mixes them

STEPS = 24
SCHEDULE = schedule(STEPS)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A run from the first step to the last: (folder, what it reported)."""
    folder, lines = tmp_path_factory.mktemp("runs") / "line", []
    with jax.numpy_dtype_promotion("standard"):
        run_stage(Line(SCHEDULE), folder, log_every=1, report=lines.append)
    return folder, lines


def run(stage, folder, **options):
    return run_stage(stage, folder, report=lambda line: None, **{"log_every": 1, **options})


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def learnt(entries):
    """What a log says of the training, without its speed."""
    return [
        {name: entry[name] for name in ("step", "loss", "drawn", "grad_norm")} for entry in entries
    ]


def assert_same_weights(folder, other):
    assert (folder / "weights.safetensors").read_bytes() == (
        other / "weights.safetensors"
    ).read_bytes()


def test_the_loss_falls_and_every_step_is_logged(unbroken):
    entries = log(unbroken[0])
    assert [entry["step"] for entry in entries] == list(range(1, STEPS + 1))
    losses = [entry["loss"] for entry in entries]
    assert max(losses[-3:]) < 0.3 * losses[0]
    assert len({entry["drawn"] for entry in entries}) == STEPS  # each step has noise of its own
    assert all(entry["samples_per_second"] > 0 for entry in entries)
    assert all(0 <= entry["wait_share"] <= 1 for entry in entries)


def test_progress_says_what_is_trained_and_how_far_it_is(unbroken):
    first, *rest = unbroken[1]
    assert first.startswith("line: 3 trained parameters, 1 frozen (75.0 % trained), on ")
    assert len(rest) == STEPS
    assert rest[-1].startswith(f"line {STEPS}/{STEPS}  ETA 0:00:00  ")
    assert "  loss " in rest[-1]


def test_progress_is_as_fine_as_asked_and_the_log_has_every_step(tmp_path):
    lines = []
    run_stage(Line(schedule(11)), tmp_path, log_every=4, report=lines.append)
    told = [line.split()[1] for line in lines if line.startswith("line ")]
    assert told == ["4/11", "8/11", "11/11"]
    assert [entry["step"] for entry in log(tmp_path)] == list(range(1, 12))


def test_a_run_is_its_steps_one_after_another(unbroken):
    """The loop adds nothing to the steps: batch 0, 1, 2, ... each once; the average is exported."""
    stage = Line(SCHEDULE)
    params, frozen = stage.init()
    state, step = create_state(params, SCHEDULE), make_train_step(stage.loss, SCHEDULE)
    for number in range(STEPS):
        state, _ = step(state, frozen, stage.batch(number))
    tree, config = load_tree(unbroken[0] / "weights.safetensors")
    np.testing.assert_array_equal(tree["line"]["w"], state.ema["line"]["w"])
    np.testing.assert_array_equal(tree["line"]["b"], state.ema["line"]["b"])
    assert (tree["line"]["w"] != state.params["line"]["w"]).all()
    assert tree["shift"] == 3.0
    assert config == {"noise": 0.05}


def test_training_begins_where_it_is_told(unbroken, tmp_path):
    start = {"line": {"w": np.array([2.0, -1.0]), "b": np.array(0.5)}}  # float64: brought to ours
    run(Line(SCHEDULE), tmp_path, start=start)
    assert log(tmp_path)[0]["loss"] < 0.1 * log(unbroken[0])[0]["loss"]


def test_what_earlier_weights_lack_begins_as_the_stage_does(unbroken, tmp_path):
    """A network that has grown since: the rest goes on from what it had learnt."""
    start = {"line": {"w": np.array([2.0, -1.0]), "b": np.zeros(3)}, "gone": np.ones(2)}
    lines = []
    run_stage(Line(SCHEDULE), tmp_path, start=start, log_every=1, report=lines.append)
    assert lines[0] == "line: 2 parameters begin where earlier weights end"
    # Only the 0.5 of the bias is left to learn, and the noise.
    assert log(tmp_path)[0]["loss"] < 0.5 < log(unbroken[0])[0]["loss"]


def test_other_seeds_are_other_runs(unbroken, tmp_path):
    run(Line(replace(SCHEDULE, seed=1)), tmp_path)
    for name in ("loss", "drawn"):
        assert log(tmp_path)[0][name] != log(unbroken[0])[0][name]


def moving(ema_decay, count):
    """Parameters and averages after each step of a stage whose gradient is one."""
    plan = schedule(50, batch_size=1, warmup_steps=1, ema_decay=ema_decay)
    step = make_train_step(lambda params, frozen, batch, key: (params["a"], {}), plan)
    state = create_state({"a": jnp.float32(5.0)}, plan)
    seen = [(5.0, 5.0)]
    for _ in range(count):
        state, metrics = step(state, {}, {})
        assert metrics["grad_norm"] == 1.0
        seen.append((float(state.params["a"]), float(state.ema["a"])))
    assert int(state.step) == count
    return seen


def test_the_average_follows_closely_at_first_and_then_slowly():
    seen = moving(0.4, 8)
    average = 5.0
    # (1 + t) / (10 + t): 2/11, 3/12, 4/13, 5/14, 6/15 = 0.4, and from there what was asked for.
    decays = [2 / 11, 3 / 12, 4 / 13, 5 / 14, 0.4, 0.4, 0.4, 0.4]
    for decay, (value, ema) in zip(decays, seen[1:], strict=True):
        average = decay * average + (1 - decay) * value
        assert ema == pytest.approx(average, rel=1e-5)


def test_the_rate_warms_up_from_nothing_to_its_peak():
    (start, _), (first, _), (second, _), (third, _) = moving(0.9, 3)
    assert first == start  # step 0 has rate 0
    assert start - second == pytest.approx(0.1, rel=1e-3)  # Adam moves by the rate
    assert 0.09 < second - third < 0.1  # and then it decays


def test_a_long_gradient_is_cut_to_its_limit():
    plan = replace(SCHEDULE, clip_norm=1.0)
    moments = []
    for size in (1.0, 100.0):
        slope = jnp.array([3.0, 4.0]) * size

        def loss(params, frozen, batch, key, slope=slope):
            return params["a"] @ slope, {}

        state = create_state({"a": jnp.zeros(2)}, plan)
        state, metrics = make_train_step(loss, plan)(state, {}, {})
        assert float(metrics["grad_norm"]) == pytest.approx(5 * size)  # told before it is cut
        moments += [leaf for leaf in jax.tree_util.tree_leaves(state.opt_state) if leaf.ndim]
    for one, other in zip(moments[:2], moments[2:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_finished_run_is_not_run_again(unbroken):
    folder, _ = unbroken
    before = (folder / "log.jsonl").read_bytes(), (folder / "weights.safetensors").read_bytes()
    lines = []
    path = run_stage(Line(SCHEDULE), folder, report=lines.append)
    assert f"line: resuming after step {STEPS} of {STEPS}" in lines
    assert path == folder / "weights.safetensors"
    assert ((folder / "log.jsonl").read_bytes(), path.read_bytes()) == before


class PowerCut(Exception):
    pass


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(unbroken, tmp_path):
    """Also where its log is ahead of its checkpoint, and cut short in the middle of a line."""

    def cut(line):
        if line.startswith("line 7/"):
            raise PowerCut

    with pytest.raises(PowerCut):
        run_stage(Line(SCHEDULE), tmp_path, checkpoint_seconds=0.0, log_every=1, report=cut)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 8, "loss": 9.0}\n{"step": 9, "lo')
    lines = []
    run_stage(Line(SCHEDULE), tmp_path, log_every=1, report=lines.append)
    assert f"line: resuming after step 6 of {STEPS}" in lines
    assert_same_weights(tmp_path, unbroken[0])
    assert learnt(log(tmp_path)) == learnt(log(unbroken[0]))


@pytest.mark.parametrize(
    ("stage", "changed"),
    [
        (Line(replace(SCHEDULE, seed=3), noise=0.1), "seed 0 → 3, noise 0.05 → 0.1, seed 0 → 3"),
        (Line(replace(SCHEDULE, batch_size=4)), "batch_size 8 → 4"),
        (Line(replace(SCHEDULE, learning_rate=0.2)), "learning_rate 0.1 → 0.2"),
        (Line(SCHEDULE, name="curve"), "stage line → curve"),
    ],
    ids=["stage", "batch", "rate", "name"],
)
def test_a_run_does_not_go_on_with_other_options(unbroken, stage, changed):
    folder, _ = unbroken
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    with pytest.raises(UserError) as refusal:
        run(stage, folder)
    (line,) = str(refusal.value).splitlines()
    assert f"the run in {folder} began with other options ({changed})" in line
    assert {path: path.read_bytes() for path in folder.glob("*.*")} == before


def test_checkpoints_refuse_another_make_and_batch_by_themselves(unbroken, tmp_path):
    """Where config.json has been removed to change, say, the rate."""
    folder = tmp_path / "run"
    shutil.copytree(unbroken[0], folder)
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=f"checkpoints/{STEPS} was made with another configuration"):
        run(Line(SCHEDULE, noise=0.1), folder)
    with pytest.raises(UserError, match=rf"{STEPS} steps .* saw {8 * STEPS} samples, which are no"):
        run(Line(replace(SCHEDULE, batch_size=4)), folder)
    assert not (folder / "config.json").exists()
    run(Line(replace(SCHEDULE, learning_rate=0.2)), folder)
    assert json.loads((folder / "config.json").read_text())["schedule"]["learning_rate"] == 0.2


def test_a_run_can_be_made_longer(unbroken, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(unbroken[0], folder)
    run(Line(schedule(STEPS + 3)), folder)
    assert [entry["step"] for entry in log(folder)] == list(range(1, STEPS + 4))


def test_the_configuration_says_all_that_made_the_run(unbroken):
    config = json.loads((unbroken[0] / "config.json").read_text())
    assert config["stage"] == "line"
    assert config["schedule"] == vars(SCHEDULE)
    assert config["made_of"] == {"noise": 0.05, "seed": 0}
    assert config["devices"]["devices"] == 1
    assert config["versions"]["jax"] == jax.__version__
    assert config["command"] == sys.argv


# --- steps without a number ----------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_samples(unbroken, tmp_path):
    stage = Line(SCHEDULE, bad=(9,))
    with pytest.raises(UserError) as stop:
        run(stage, tmp_path, checkpoint_every=4)
    (line,) = str(stop.value).splitlines()
    named = ", ".join(f"point {n}" for n in range(72, 80))
    assert f"step 10 of {STEPS} has loss nan and gradient norm nan on {named}: look" in line
    entry = log(tmp_path)[-1]
    assert (entry["step"], entry["loss"], entry["finite"]) == (10, None, 0.0)
    assert entry["bad"] == stage.sample_ids(9)
    # The data is mended: the run goes on as if nothing had been.
    lines = []
    run_stage(Line(SCHEDULE), tmp_path, log_every=1, report=lines.append)
    assert f"line: resuming after step 8 of {STEPS}" in lines
    assert learnt(log(tmp_path)) == learnt(log(unbroken[0]))
    assert_same_weights(tmp_path, unbroken[0])


def test_no_checkpoint_is_made_of_a_step_that_stops_the_run(tmp_path):
    with pytest.raises(UserError, match="step 10 of"):
        run(Line(SCHEDULE, bad=(9,)), tmp_path, checkpoint_every=1)
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"8", "9"}


def test_bad_steps_can_be_left_out(tmp_path):
    lines, bad = [], (4, 9, 10)
    stage = Line(SCHEDULE, bad=bad)
    run_stage(stage, tmp_path, on_bad_step="skip", log_every=1, report=lines.append)
    entries = log(tmp_path)
    assert [e["step"] - 1 for e in entries if "bad" in e] == list(bad)
    assert [e["bad"] for e in entries if "bad" in e] == [stage.sample_ids(step) for step in bad]
    assert sum("skipped, step" in line for line in lines) == len(bad)
    assert max(e["loss"] for e in entries[-3:]) < 0.5 * entries[0]["loss"]
    tree, _ = load_tree(tmp_path / "weights.safetensors")
    assert np.isfinite(tree["line"]["w"]).all()


def test_too_many_bad_steps_in_a_row_stop_the_run_all_the_same(tmp_path):
    stage = Line(schedule(40), bad=tuple(range(5, 40)))
    with pytest.raises(UserError, match=r"step 25 of 40 .* the last of 20 such steps in a row"):
        run(stage, tmp_path, on_bad_step="skip")


def test_what_to_do_with_bad_steps_is_asked_for_by_name(tmp_path):
    with pytest.raises(UserError, match="on_bad_step 'ignore' is unknown: use stop or skip"):
        run(Line(SCHEDULE), tmp_path, on_bad_step="ignore")


# --- watchers ------------------------------------------------------------------------------------


class Seen:
    """Keeps what it was given."""

    def __init__(self, every):
        self.every, self.params = every, {}

    def __call__(self, step, params, frozen):
        assert float(frozen["shift"]) == 3.0
        self.params[step] = params
        return {"seen/b": float(params["line"]["b"])}


class Blind(Seen):
    def __call__(self, step, params, frozen):
        self.params[step] = params
        raise ValueError("nothing to see")


def test_watchers_see_the_average_and_write_into_the_log(unbroken, tmp_path):
    seen, lines = Seen(10), []
    run_stage(Line(SCHEDULE), tmp_path, watchers=[seen], log_every=STEPS, report=lines.append)
    assert list(seen.params) == [10, 20, STEPS]
    entries = {e["step"]: e["seen/b"] for e in log(tmp_path) if "seen/b" in e}
    assert entries == {step: float(p["line"]["b"]) for step, p in seen.params.items()}
    tree, _ = load_tree(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(seen.params[STEPS]["line"]["w"], tree["line"]["w"])
    assert learnt(log(tmp_path)) == learnt(log(unbroken[0]))  # looking changes nothing


def test_a_watcher_that_fails_is_switched_off_and_the_run_goes_on(unbroken, tmp_path):
    blind, seen, lines = Blind(5), Seen(5), []
    run_stage(Line(SCHEDULE), tmp_path, watchers=[blind, seen], report=lines.append)
    assert list(blind.params) == [5]
    assert list(seen.params) == [5, 10, 15, 20, STEPS]
    told = [line for line in lines if "Blind" in line]
    assert told == ["Blind failed after step 5 and is switched off: ValueError: nothing to see"]
    assert learnt(log(tmp_path)) == learnt(log(unbroken[0]))


# --- checkpoints ---------------------------------------------------------------------------------


def test_checkpoints_are_kept_by_policy(tmp_path):
    run(Line(SCHEDULE), tmp_path, checkpoint_every=5, keep_every=8)
    kept = {int(path.name) for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == {8, 16, 20, 24}


def test_batches_come_out_of_mapped_files_before_they_are_fed(tmp_path, monkeypatch):
    """A view of a file is read by the worker, not by whoever waits for the device."""
    rows = np.random.default_rng(0).normal(size=(STEPS * 8, 2)).astype(np.float32)
    rows.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", np.float32, "r", shape=rows.shape)
    fed = []

    class Mapped(Line):
        def batch(self, step):
            x = mapped[8 * step : 8 * step + 8]
            return {"x": x, "y": np.asarray(x)[:, 0]}

    feed = parallel.MeshSpread.feed
    monkeypatch.setattr(
        parallel.MeshSpread, "feed", lambda self, batch: fed.append(batch) or feed(self, batch)
    )
    run(Mapped(SCHEDULE), tmp_path / "run")
    for step, batch in enumerate(fed):
        np.testing.assert_array_equal(batch["x"], rows[8 * step : 8 * step + 8])
        for array in batch.values():
            assert not np.shares_memory(array, mapped)
            assert array.base is None


def test_batches_of_a_stage_that_renders_come_from_a_copy_of_it(unbroken, tmp_path):
    """A stage that draws its pictures is sent to other processes, without what it has cached."""

    class Drawing(Line):
        renders = True

        def batch(self, step):
            assert "cached" not in vars(self)
            return super().batch(step)

    stage = Drawing(SCHEDULE)
    vars(stage)["cached"] = "a large thing"
    run(stage, tmp_path)
    assert_same_weights(tmp_path, unbroken[0])
