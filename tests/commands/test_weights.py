"""`vdjax weights` on the command line: what it prints, and what it exits with."""

from __future__ import annotations

import pytest

from vdjax.cli import main


def run(capsys, *arguments):
    code = main(["weights", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_info_counts_lvd_without_making_it(capsys):
    code, out, _ = run(capsys, "info", "lvd")
    assert code == 0
    for count in ("1,623,793,636", "211,213,152", "1,346,624", "865,910,724"):
        assert count in out
    assert "6.0 GiB in float32, 3.0 GiB in bfloat16" in out


def test_every_preset_is_listed_with_its_size(capsys):
    code, out, _ = run(capsys, "list")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert "1,411,233,860" in rows["modelscope"]
    assert "859,520,964" in rows["sd15"]
    assert "865,910,724" in rows["sd21"]
    assert rows["storybook"].endswith("with vdjax")


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", "nonesuch"),
        ("check", "nonesuch"),
        ("convert", "nonesuch", "out"),
        ("convert", "nonesuch.ckpt", "out"),
        ("convert", "only-one"),
        (),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_code_2(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    if arguments[:1] == ("check",):
        assert code == 1  # looked at, and found wanting
        assert "no manifest.json" in out
        return
    assert code == 2
    assert err.startswith("vdjax: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
