"""The course's own notebooks in the real JupyterLab: run all, then mouse and keys in the page.

`make test-browser` runs them (VDJAX_NOTEBOOKS=all); each takes minutes.
"""

from __future__ import annotations

import io
import itertools
import os
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = [
    pytest.mark.browser,
    # Of the client of the kernel, not of what is tested.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.skipif(
        os.environ.get("VDJAX_NOTEBOOKS") != "all", reason="make test-browser runs whole notebooks"
    ),
]

MINUTES = 60
FILLED = """
from vdjax.evaluate.detector import StorybookDetector
from vdjax.evaluate.skills import box_overlaps
def filled(frames, track, name):
    seen = StorybookDetector.shipped().detect(frames)
    pairs = [(s, b) for s, b in zip(seen, track) if b is not None]
    return [float(box_overlaps(s, [b], name)[0]) > 0.5 for s, b in pairs].count(True) / len(pairs)
"""
CHANGED = """
import numpy as np
from vdjax.plan.layout import frame_boxes
def changed(before, after, name, *plans):
    difference = np.abs(after.astype(float) - before).mean(-1)
    inside = np.zeros(difference.shape, bool)
    tall, wide = difference.shape[1:]
    for plan in plans:
        for frame, box in enumerate(frame_boxes(plan.scene(2), len(before))[name]):
            x0, y0, x1, y1 = (int(at * side) for at, side in zip(box, (wide, tall) * 2))
            inside[frame, y0:y1, x0:x1] = True
    return difference[inside].mean().item(), difference[~inside].mean().item()
"""


def opened(notebook: Any, name: str) -> Any:
    lab = notebook(f"{name}.ipynb")
    lab.run_all(10 * MINUTES)
    return lab


def pixels(place: Any) -> np.ndarray:
    place.scroll_into_view_if_needed()
    shown = place.screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(shown)).convert("RGB"))


def test_the_film_follows_the_cat(notebook):
    """What 00 asks of a beginner: move the cat's box in scene 2, press render, watch."""
    lab = opened(notebook, "00_start_here")
    page = lab.page
    box = page.locator('.le-box[data-name="cat"]').first
    stage = page.locator(".le-stage").first
    before = lab.ask("[tuple(k['cat']) for k in editor.plan.scene(2).keyframes]")
    box.scroll_into_view_if_needed()
    size = stage.bounding_box()
    lab.pull(box, 0, -60)
    lab.until("editor.plan != plan")
    after = lab.ask("[tuple(k['cat']) for k in editor.plan.scene(2).keyframes]")
    moved = [0, -60 / size["height"]] * 2
    np.testing.assert_allclose(np.subtract(after, before), np.tile(moved, (9, 1)), atol=1e-3)
    old = pixels(stage)
    page.get_by_role("button", name="Render this scene").first.click()
    lab.until("editor.rendering['state'] == 'done'", 5 * MINUTES)
    page.wait_for_timeout(1000)
    assert (pixels(stage) != old).mean() > 0.01
    lab.do(CHANGED)
    inside, outside = lab.ask("changed(film.frames[1], editor.clips[1], 'cat', plan, editor.plan)")
    assert inside > 2 * outside
    lab.keep("00")


def test_sampling_follows_its_sliders_and_boxes(notebook):
    """05: a slider by keys, and a box that is drawn by the mouse and rendered."""
    lab = opened(notebook, "05_multi_scene_sampling")
    before = lab.ask("knobs.values")
    handle = lab.page.locator(".jp-OutputArea .noUi-handle").first
    handle.scroll_into_view_if_needed()
    screen = lab.page.locator(".jp-OutputArea .widget-vbox").first
    old = pixels(screen)
    handle.focus()
    lab.page.keyboard.press("ArrowLeft")
    lab.until(f"abs(knobs.values['alpha'] - {before['alpha']} + 0.1) < 1e-6", 2 * MINUTES)
    lab.page.wait_for_timeout(1000)
    assert (pixels(screen) != old).mean() > 0.005
    lab.keep("05-sliders")

    page, corners = lab.page, (0.1, 0.1, 0.35, 0.3)
    lab.draw_box(*corners)
    page.get_by_label("Name of the new box").fill("balloon")
    page.keyboard.press("Enter")
    lab.until("'balloon' in editor.plan.scene(editor.scene).entities")
    drawn = lab.ask("[tuple(k['balloon']) for k in editor.plan.scene(editor.scene).keyframes]")
    np.testing.assert_allclose(drawn, np.tile(corners, (9, 1)), atol=1e-3)
    page.get_by_role("button", name="Render this scene").first.click()
    lab.until("editor.rendering['state'] == 'done'", 5 * MINUTES)
    lab.do(FILLED)
    clip = "editor.clips[editor.scene - 1]"
    track = f"[tuple(b) for b in {np.tile(corners, (8, 1)).tolist()}]"
    assert lab.ask(f"filled({clip}, {track}, 'balloon')", 2 * MINUTES) > 0.5
    lab.keep("05-editor")


def test_attention_and_gates_follow_mouse_and_keys(notebook):
    """06: the slider of steps changes the map; with the gates closed by the page's own buttons
    things leave their boxes."""
    lab = opened(notebook, "06_looking_inside")
    page = lab.page
    slider = page.get_by_label("Denoising step").first
    slider.scroll_into_view_if_needed()
    canvas = page.locator(".jp-OutputArea canvas").first
    shown = [pixels(canvas)]
    place = slider.bounding_box()
    page.mouse.click(place["x"] + 0.98 * place["width"], place["y"] + place["height"] / 2)
    lab.until("inspector.step == STEPS")
    shown.append(pixels(canvas))
    slider.press("ArrowLeft")
    lab.until("inspector.step == STEPS - 1")
    shown.append(pixels(canvas))
    assert all((a != b).mean() > 0.005 for a, b in itertools.combinations(shown, 2))
    inside = "[inside_by_step(record, name).mean().item() for name in ('rocket', 'cat')]"
    chance = "[float(np.nanmean(chance(boxes[name]))) for name in ('rocket', 'cat')]"
    assert all(a > 2 * b for a, b in zip(lab.ask(inside), lab.ask(chance), strict=True))
    lab.keep("06-attention")

    lab.do(FILLED)
    share = {}
    done = {"As it is": "all gates as they are", "Close": "all gates at 0% from step 1 on"}
    for words in done:
        page.get_by_role("button", name=words, exact=True).last.click()
        page.wait_for_timeout(300)
        go = page.get_by_role("button", name="Render with these gates").first
        go.scroll_into_view_if_needed()
        go.click()
        end = {"state": "done", "words": done[words]}
        lab.until(f"gates.rendering == {end}", 5 * MINUTES)
        for name in ("rocket", "cat"):
            asked = f"filled(gates.clips['after'], boxes['{name}'], '{name}')"
            share[words, name] = lab.ask(asked, 2 * MINUTES)
    assert lab.ask("set(gates.factors.values())") == {0.0}
    assert sum(share["As it is", name] for name in ("rocket", "cat")) > 1
    assert sum(share["Close", name] for name in ("rocket", "cat")) < 0.5
    lab.keep("06-gates")


def test_a_picture_of_ones_own_follows_its_box(notebook):
    lab = opened(notebook, "10_your_own_pictures")
    page = lab.page
    name = lab.ask("MY_NAME")
    box = page.locator(f'.le-box[data-name="{name}"]').first
    before = lab.ask(f"tuple(editor.plan.scene(2).keyframes[0]['{name}'])")
    film = lab.ask("editor.clips[1].astype(int).sum().item()")
    lab.pull(box, -10, 40)
    lab.until(f"editor.plan.scene(2).keyframes[0]['{name}'][1] > {before[1]}")
    page.get_by_role("button", name="Render this scene").first.click()
    lab.until(f"editor.clips[1].astype(int).sum().item() != {film}", 5 * MINUTES)
    lab.keep("10")
