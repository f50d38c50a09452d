"""Widgets in the real JupyterLab and in the real classic notebook: mouse and keys in the page, the
same values in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.browser,
    # Of the client of the kernel, not of what is tested.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

EDITOR = """
from vdjax.plan import plan
from vdjax.widgets import LayoutEditor
editor = LayoutEditor(plan("A cat sits in a park. A dog runs on a beach."))
editor
"""
KNOBS = """
import ipywidgets
from vdjax.widgets import Knobs
knobs = Knobs(lambda share: f"<b id='shown'>{share:g}</b>", share=ipywidgets.FloatSlider(
    value=0.5, min=0, max=1, step=0.1, description="share", continuous_update=False))
knobs
"""
OTHERS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import numpy as np
from attention_records import make_frames, make_record
from vdjax.inspect.gates import Gate, GateRecord
from vdjax.plan import plan
from vdjax.widgets import AttentionInspector, FilmPlayer, GateInspector, PlanViewer
clip = make_frames(8, (32, 32))
added = np.full((2, 3), 0.5, np.float32)
attention = AttentionInspector(make_record(), make_frames(), step=3)
gates = GateInspector(
    [Gate("down 0.0", 0.5, 0.2), Gate("mid 0", 0.1, 0.9)],
    GateRecord(("down 0.0", "mid 0"), (999, 500, 10), added, added),
    lambda factors, from_step: [clip],
)
player = FilmPlayer([clip, clip])
viewer = PlanViewer(plan("A cat sits in a park. The cat sleeps in a kitchen."))
for widget in (attention, gates, player, viewer):
    display(widget)
"""


def test_a_box_dragged_by_mouse_is_the_same_box_in_python(notebook):
    book = notebook("editor.ipynb", [EDITOR])
    book.run_all()
    page = book.page
    box = page.locator('.le-box[data-name="cat"]').first
    box.wait_for()
    stage = page.locator(".le-stage").first.bounding_box()
    before = book.ask("[k['cat'] for k in map(dict, editor.plan.scene(1).keyframes)]")
    book.pull(box, -24, -36)
    page.wait_for_timeout(500)
    after = book.ask("[k['cat'] for k in map(dict, editor.plan.scene(1).keyframes)]")
    moved = np.array([-24 / stage["width"], -36 / stage["height"]] * 2)
    np.testing.assert_allclose(np.subtract(after, before), np.tile(moved, (9, 1)), atol=1e-3)
    book.keep("editor")


def test_keys_are_the_boxs_and_not_the_notebooks(notebook):
    book = notebook("keys.ipynb", [EDITOR])
    book.run_all()
    box = book.page.locator('.le-box[data-name="cat"]').first
    first = "dict(editor.plan.scene(1).keyframes[0])['cat'][0]"
    before = book.ask(first)
    for key in ("d", "d", "ArrowLeft"):  # in a notebook, d and d again take the cell away
        box.press(key)
    book.page.wait_for_timeout(500)
    assert book.ask(first) < before
    assert box.is_visible()


def test_a_box_is_drawn_and_named(notebook):
    book = notebook("drawn.ipynb", [EDITOR])
    book.run_all()
    page, corners = book.page, (0.1, 0.1, 0.35, 0.3)
    book.draw_box(*corners)
    page.keyboard.type("balloon")
    page.keyboard.press("Enter")
    book.until("'balloon' in editor.plan.scene(1).entities")
    drawn = book.ask("[k['balloon'] for k in map(dict, editor.plan.scene(1).keyframes)]")
    np.testing.assert_allclose(drawn, np.tile(corners, (9, 1)), atol=1e-3)
    book.keep("drawn")


def test_the_other_widgets_follow_too(notebook):
    book = notebook("others.ipynb", [OTHERS])
    book.run_all()
    page = book.page
    page.get_by_label("Denoising step").press("ArrowLeft")
    book.until("attention.step == 2")
    page.get_by_role("button", name="Close", exact=True).click()
    book.until("set(gates.factors.values()) == {0.0}")
    page.get_by_role("button", name="One frame on", exact=True).click()
    book.until("player.frame == 2")
    group = page.locator(".vdjax-plan button", has_text="cat").first
    group.click()
    book.until("viewer.selected == 'cat'")
    assert page.locator("section.vdjax").count() == 4
    book.keep("others")


def test_a_slider_moved_by_keys_and_by_mouse_redraws(notebook):
    book = notebook("knobs.ipynb", [KNOBS])
    book.run_all()
    page = book.page
    page.locator("#shown", has_text="0.5").wait_for()
    handle = page.locator(book.kind.handle).first
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.locator("#shown", has_text="0.6").wait_for()
    assert book.ask("knobs.values") == pytest.approx({"share": 0.6})
    track = page.locator(book.kind.slider).first.bounding_box()
    page.mouse.click(track["x"] + 0.2 * track["width"], track["y"] + track["height"] / 2)
    page.locator("#shown", has_text="0.2").wait_for()
    book.keep("knobs")
