"""The records of a run folder: one writer, one configuration, one entry a step, curves."""

from __future__ import annotations

import json
import math
import os
import resource
import struct
import sys

import pytest
from train.line import Line, schedule

from vdjax.errors import OutputError, UserError
from vdjax.train.parallel import spread
from vdjax.train.record import Record, config_of

STAGE = Line(schedule(10))


@pytest.fixture
def record(tmp_path):
    """Open the records of the folder; what was opened is closed in the end."""
    opened = []

    def open_(lines=None, leader=True):
        report = lines.append if lines is not None else lambda line: None
        opened.append(Record(tmp_path / "run", report, leader=leader))
        return opened[-1]

    yield open_
    for one in opened:
        one.__exit__()


def config(stage=STAGE, **loop):
    return config_of(stage, spread(batch_size=8, devices=1), **loop)


def log(folder):
    def no_constant(name):
        raise AssertionError(f"{name} is not JSON")

    lines = (folder / "run" / "log.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=no_constant) for line in lines]


# --- one writer ----------------------------------------------------------------------------------


def test_a_folder_has_one_writer(record, tmp_path):
    with record(), pytest.raises(UserError) as refusal:
        record()
    (line,) = str(refusal.value).splitlines()
    assert f"{tmp_path}/run is in use by another run (process {os.getpid()} on " in line
    record()  # closed, it is free


def test_processes_that_do_not_lead_write_nothing(record, tmp_path):
    with record(leader=False) as follower:
        follower.check(config())
        follower.begin(0)
        follower.write({"step": 1, "loss": 1.0}, curves=True)
        follower.flush()
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OutputError, match=r"cannot write .*run"):
        Record(tmp_path / "run", print)


# --- configuration -------------------------------------------------------------------------------


def test_the_configuration_is_written_once(record, tmp_path):
    path = tmp_path / "run" / "config.json"
    with record() as first:
        first.check(config(on_bad_step="stop"))
        assert not path.exists()  # not before the run begins
        first.begin(0)
    before = path.read_bytes()
    assert json.loads(before)["loop"] == {"on_bad_step": "stop"}
    with record() as second:
        second.check(config(Line(schedule(20, remat="nothing_saveable")), on_bad_step="skip"))
        second.begin(5)
    assert path.read_bytes() == before


def test_other_options_are_refused_and_another_machine_is_told(record, tmp_path):
    with record() as first:
        first.check(config())
        first.begin(0)
    with pytest.raises(UserError, match=r"other options .learning_rate 0.1 → 0.3, noise 0.05 → 1"):
        record().check(config(Line(schedule(10, learning_rate=0.3), noise=1.0)))


def test_another_machine_is_told(record, tmp_path):
    with record() as first:
        first.check(config())
        first.begin(0)
    lines, elsewhere = [], config()
    elsewhere["versions"] |= {"jax": "9.9.9"}
    record(lines).check(elsewhere)
    (line,) = lines
    assert line.startswith("line: goes on elsewhere (jax ")
    assert line.endswith(" → 9.9.9)")


def test_options_that_did_not_exist_then_are_no_difference(record, tmp_path):
    with record() as first:
        first.check(config())
        first.begin(0)
    path = tmp_path / "run" / "config.json"
    old = json.loads(path.read_text())
    del old["schedule"]["accumulate"], old["versions"]
    path.write_text(json.dumps(old))
    record().check(config())


def test_a_configuration_that_cannot_be_read_is_told(record, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"stage": ')
    with pytest.raises(UserError, match=r"config.json cannot be read .* remove it"):
        record().check(config())


# --- log -----------------------------------------------------------------------------------------


def test_entries_are_json_whatever_their_numbers(record, tmp_path):
    entries = [
        {"step": 1, "loss": 0.1 + 0.2, "finite": 1.0},
        {"step": 2, "loss": math.nan, "grad_norm": math.inf, "bad": ["a", "ü"]},
    ]
    with record() as run:
        run.begin(0)
        for entry in entries:
            run.write(entry, curves=False)
    first, second = log(tmp_path)
    assert first == entries[0]  # to the last bit
    assert second == {"step": 2, "loss": None, "grad_norm": None, "bad": ["a", "ü"]}


def test_what_comes_again_is_forgotten(record, tmp_path):
    path = tmp_path / "run" / "log.jsonl"
    path.parent.mkdir()
    kept = '{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n'
    beyond = '{"step": 3, "loss": 1.0}\nno json\n7\n{"step": 4, "lo'
    path.write_text(kept + beyond)
    with record() as run:
        run.begin(2)
        assert path.read_text() == kept
        run.write({"step": 3, "loss": 0.5}, curves=False)
    assert [entry["loss"] for entry in log(tmp_path)] == [2.0, 1.5, 0.5]


def test_a_log_that_may_not_grow_is_told_in_a_sentence(record, tmp_path):
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    with record() as run:
        run.begin(0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 13, former[1]))
        try:
            with pytest.raises(OutputError, match=r"cannot write .*log.jsonl: no room left"):
                for step in range(100):
                    run.write({"step": step, "loss": 1.0, "bad": ["x" * 1000]}, curves=False)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, former)
    path = tmp_path / "run" / "log.jsonl"
    assert path.stat().st_size == 1 << 13  # the last line is cut short
    with record() as run:
        run.begin(99)
    assert [entry["step"] for entry in log(tmp_path)] == list(range(step))


# --- curves --------------------------------------------------------------------------------------


def events(folder):
    """What TensorBoard would read: (step, session, {name: value}) of all event files in order."""
    from tensorboardX.crc32c import crc32c
    from tensorboardX.proto.event_pb2 import Event

    def masked(data):
        crc = crc32c(data)
        return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF

    found = []
    for path in sorted((folder / "run" / "tensorboard").iterdir(), key=lambda p: p.stat().st_ctime):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack("<Q", data[at : at + 8])
            body = data[at + 12 : at + 12 + size]
            (check,) = struct.unpack("<I", data[at + 12 + size : at + 16 + size])
            assert check == masked(body)
            event = Event.FromString(body)
            values = {value.tag: value.simple_value for value in event.summary.value}
            found.append((event.step, event.session_log.status, values))
            at += 16 + size
    return found


def test_curves_are_event_files_that_go_on_where_the_run_does(record, tmp_path):
    lines = []
    with record(lines) as run:
        run.begin(0)
        run.write({"step": 1, "loss": 4.0}, curves=False)
        run.write({"step": 2, "loss": 2.0, "gate": 0.5, "bad": ["a"]}, curves=True)
        run.write({"step": 3, "loss": math.nan}, curves=True)
    with record(lines) as run:
        run.begin(2)
        run.write({"step": 3, "loss": 1.0}, curves=True)
    assert lines == []
    start = 1  # SessionLog.START: what has this step or a later one is forgotten
    assert [event for event in events(tmp_path) if event[1] or event[2]] == [
        (1, start, {}),
        (2, 0, {"loss": 2.0, "gate": 0.5}),
        (3, start, {}),
        (3, 0, {"loss": 1.0}),
    ]


def test_without_the_library_it_is_said_once_how_to_get_it(record, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("tensorboardX")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    lines = []
    with record(lines) as run:
        run.begin(0)
        for step in (1, 2):
            run.write({"step": step, "loss": 1.0}, curves=True)
        run.flush()
    (line,) = lines
    assert line.startswith("no curves for TensorBoard: they need tensorboardX (")
    assert line.endswith('-m pip install "vdjax[train]")')
    assert len(log(tmp_path)) == 2


def test_curves_that_cannot_be_written_do_not_end_the_run(record, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tensorboard").write_text("a file")
    lines = []
    with record(lines) as run:
        run.begin(0)
        for step in (1, 2):
            run.write({"step": step, "loss": 1.0}, curves=True)
    (line,) = lines
    assert line.startswith("no more curves for TensorBoard: ")
    assert len(log(tmp_path)) == 2
