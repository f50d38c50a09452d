"""Progress on a terminal is a bar; in a log it is a line per stage."""

import io

import pytest

from vdjax.progress import Printed, silent


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream):
    progress = Printed(stream)
    for done in range(4):
        progress("sample", done, 3)
    progress("decode", 0, 1)
    progress("decode", 1, 1)
    return stream.getvalue()


def test_a_log_gets_a_line_when_a_stage_starts_and_ends():
    lines = run(io.StringIO()).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "sample ...",
        "sample",
        "decode ...",
        "decode",
    ]
    assert lines[1].endswith(" s")


def test_a_terminal_gets_a_bar_that_fills():
    said = run(Terminal())
    assert "sample: 100%" in said
    assert "3/3" in said
    assert "decode: 100%" in said


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_stage_that_never_ended_is_closed_by_the_next(stream):
    out = stream()
    progress = Printed(out)
    progress("one", 0, 9)
    progress("two", 0, 1)
    progress("two", 1, 1)
    assert out.getvalue().count("two") >= 2


def test_silence_says_nothing(capsys):
    silent("sample", 0, 1)
    assert capsys.readouterr() == ("", "")
