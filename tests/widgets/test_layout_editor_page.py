"""The editor under a real mouse, real fingers and real keys, in a real browser."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("anywidget")

from vdjax.plan import frame_boxes
from vdjax.plan.schema import Scene
from vdjax.widgets.layout_editor import LayoutEditor

pytestmark = pytest.mark.browser

CAT = '.le-box[data-name="cat"]'
DOG = '.le-box[data-name="dog"]'


def clip(*shades, size=(16, 16)):
    """A clip whose frames are of one shade each."""
    frames = np.empty((len(shades), *size, 3), np.uint8)
    frames[:] = np.array(shades, np.uint8).reshape(-1, 1, 1, 1)
    return frames


class Stage:
    """Places as shares of the frame, for the mouse."""

    def __init__(self, view):
        self.view, self.page = view, view.page

    def at(self, x, y):
        box = self.page.locator(".le-stage").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def drag(self, start, end, steps=5):
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=steps)
        self.page.mouse.up()
        self.view.settle()

    def said(self):
        return self.page.locator(".vdjax-said").inner_text()


def eventually(holds, seconds=5.0):
    """Whether something comes to hold; the page is drawn meanwhile."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
    return True


def boxes(editor, name, scene=1):
    return [k.get(name) for k in editor.plan.scene(scene).keyframes]


@pytest.mark.parametrize(
    ("extent", "shares"),
    [
        ("path", [1] * 9),
        ("one", [0, 0, 0, 0, 1, 0, 0, 0, 0]),
        ("after", [0, 0, 0, 0, 1, 1, 1, 1, 1]),
        ("bend", [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0]),
    ],
)
def test_a_box_moved_by_mouse_is_the_same_in_python(page_with, plan, extent, shares):
    editor = LayoutEditor(plan, keyframe=5.0)
    stage = Stage(page_with(editor))
    stage.page.get_by_label("Edits change").select_option(extent)
    stage.drag((0.45, 0.7), (0.5, 0.4))
    for share, old, new in zip(
        shares, boxes(LayoutEditor(plan), "cat"), boxes(editor, "cat"), strict=True
    ):
        wanted = np.add(old, np.multiply(share, (0.05, -0.3, 0.05, -0.3)))
        np.testing.assert_allclose(new, wanted, atol=1e-3)
    assert editor.undoable == [1, 0], "one drag is one edit"
    assert editor.selected == "cat"
    assert stage.said() == "cat, keyframe 5: left 30 %, top 20 %, 40 % wide, 40 % high"


def test_a_path_keeps_its_shape_at_the_edge_of_the_frame(page_with, plan):
    editor = LayoutEditor(plan)
    Stage(page_with(editor)).drag((0.25, 0.7), (0.95, 0.95))
    lefts = [box[0] for box in boxes(editor, "cat")]
    np.testing.assert_allclose(np.diff(lefts), 0.05, atol=1e-3)
    assert boxes(editor, "cat")[8][2:] == (1, 1)


@pytest.mark.parametrize(
    ("handle", "end", "wanted"),
    [
        ((0.45, 0.9), (0.6, 0.8), (0.05, 0.5, 0.6, 0.8)),
        ((0.05, 0.5), (0.2, 0.3), (0.2, 0.3, 0.45, 0.9)),
        ((0.25, 0.5), (0.9, 0.4), (0.05, 0.4, 0.45, 0.9)),
        ((0.45, 0.7), (0.01, 0.7), (0.05, 0.5, 0.07, 0.9)),
    ],
)
def test_a_box_is_resized_by_its_handles(page_with, plan, handle, end, wanted):
    editor = LayoutEditor(plan, extent="one")
    stage = Stage(page_with(editor))
    stage.page.mouse.click(*stage.at(0.25, 0.7))
    stage.drag(handle, end)
    np.testing.assert_allclose(boxes(editor, "cat")[0], wanted, atol=1e-3)
    assert boxes(editor, "cat")[1:] == boxes(LayoutEditor(plan), "cat")[1:]


def test_a_new_box_is_drawn_and_named(page_with, plan):
    editor = LayoutEditor(plan)
    stage = Stage(page_with(editor))
    stage.drag((0.6, 0.1), (0.9, 0.35))
    stage.page.keyboard.type("red kite")
    stage.page.keyboard.press("Enter")
    stage.view.settle()
    assert editor.plan.scene(1).entities == ("cat", "red kite")
    for box in boxes(editor, "red kite"):
        np.testing.assert_allclose(box, (0.6, 0.1, 0.9, 0.35), atol=1e-3)
    assert editor.selected == "red kite"
    stage.drag((0.6, 0.1), (0.6, 0.1))
    assert len(editor.plan.scene(1).entities) == 2, "a click draws nothing"


def test_a_box_is_drawn_over_others_after_draw_box_and_may_be_given_up(page_with, plan):
    editor = LayoutEditor(plan)
    stage = Stage(page_with(editor))
    stage.page.get_by_role("button", name="Draw box").click()
    stage.drag((0.1, 0.55), (0.4, 0.85))
    assert editor.plan == plan
    stage.page.keyboard.press("Escape")
    assert not stage.page.get_by_label("Name of the new box").is_visible()
    assert stage.page.locator(".le-new").count() == 0
    assert stage.said() == "Cancelled"


def touch(stage, start, end):
    """One finger, as the browser's own input events."""
    session = stage.page.context.new_cdp_session(stage.page)

    def send(kind, *points):
        touches = [dict(zip("xy", stage.at(*point), strict=True)) for point in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    send("touchStart", start)
    for share in (0.25, 0.5, 0.75, 1):
        send("touchMove", tuple(a + share * (b - a) for a, b in zip(start, end, strict=True)))
    send("touchEnd")
    stage.view.settle()


def test_fingers_move_and_draw(page_with, plan):
    editor = LayoutEditor(plan)
    stage = Stage(page_with(editor, width=380, height=900, touch=True))
    touch(stage, (0.25, 0.7), (0.35, 0.6))
    np.testing.assert_allclose(boxes(editor, "cat")[0], (0.15, 0.4, 0.55, 0.8), atol=1e-3)
    touch(stage, (0.7, 0.1), (0.9, 0.3))
    assert stage.page.locator(".le-new").count() == 0, "an empty place scrolls the page"
    stage.page.get_by_role("button", name="Draw box").tap()
    touch(stage, (0.7, 0.1), (0.9, 0.3))
    stage.page.get_by_label("Name of the new box").fill("sun")
    stage.page.keyboard.press("Enter")  # the list of names is open: a tap would only close it
    stage.view.settle()
    np.testing.assert_allclose(boxes(editor, "sun")[0], (0.7, 0.1, 0.9, 0.3), atol=1e-3)


def test_everything_is_done_from_the_keyboard(page_with, plan):
    editor = LayoutEditor(plan, scene=2, keyframe=6.0)
    stage = Stage(page_with(editor))
    keyboard = stage.page.keyboard
    for _ in range(20):
        keyboard.press("Tab")
        if stage.page.evaluate("document.activeElement.dataset.name") == "dog":
            break
    keyboard.press("ArrowLeft")
    keyboard.press("ArrowUp")
    keyboard.press("ArrowUp")
    keyboard.press("Shift+ArrowRight")
    stage.view.settle()
    for k in range(5, 9):
        np.testing.assert_allclose(boxes(editor, "dog", 2)[k], (0.49, 0.38, 0.9, 0.88), atol=1e-3)
    assert stage.said() == "dog, keyframe 6: left 49 %, top 38 %, 41 % wide, 50 % high"
    keyboard.press("]")
    keyboard.press("Delete")
    stage.view.settle()
    assert editor.plan.scene(2).entities == ("cat",)
    assert stage.said() == "dog is deleted"
    assert stage.page.evaluate("document.activeElement.dataset.name") == "cat", "focus stays near"
    keyboard.press("Control+z")
    stage.view.settle()
    assert editor.plan.scene(2).entities == ("cat", "dog")
    keyboard.press("Control+Shift+z")
    stage.view.settle()
    assert editor.plan.scene(2).entities == ("cat",)
    stage.page.get_by_role("button", name="Draw box").focus()
    keyboard.press("Enter")
    keyboard.type("dog")
    keyboard.press("Enter")
    stage.view.settle()
    assert boxes(editor, "dog", 2) == [(0.35, 0.5, 0.65, 0.9)] * 9
    assert editor.keyframe == 7


def test_notebooks_do_not_hear_the_editors_keys(page_with, plan):
    box = page_with(LayoutEditor(plan)).page.locator(".le-box").first
    box.focus()
    assert box.get_attribute("data-lm-suppress-shortcuts") == "true"


def test_deleting_at_one_keyframe_hides_and_show_here_brings_back(page_with, plan):
    editor = LayoutEditor(plan, extent="one", keyframe=3.0, selected="cat")
    stage = Stage(page_with(editor))
    stage.page.get_by_role("button", name="Delete").click()
    stage.view.settle()
    assert boxes(editor, "cat")[2] is None
    assert boxes(editor, "cat")[1] is not None
    assert stage.page.locator(CAT).count() == 0
    stage.page.get_by_role("button", name="Show here").click()
    stage.view.settle()
    np.testing.assert_allclose(boxes(editor, "cat")[2], boxes(editor, "cat")[1], atol=1e-3)


def test_boxes_snap_to_the_grid(page_with, plan):
    editor = LayoutEditor(plan, grid=0.1, extent="one")
    stage = Stage(page_with(editor))
    stage.page.get_by_label("Snap to grid").check()
    assert stage.page.locator(".le-lines .le-grid").count() == 18
    stage.drag((0.25, 0.7), (0.38, 0.57))
    np.testing.assert_allclose(boxes(editor, "cat")[0], (0.2, 0.4, 0.6, 0.8), atol=1e-6)
    stage.page.keyboard.press("ArrowRight")
    stage.view.settle()
    np.testing.assert_allclose(boxes(editor, "cat")[0], (0.3, 0.4, 0.7, 0.8), atol=1e-6)


EVERY_FRAME = """Array.from({ length: 16 }, (_, frame) => {
  model.set("keyframe", 1 + (frame * 8) / 15);
  const spot = (style) => [style.left, style.top, style.width, style.height];
  const all = [...document.querySelectorAll(".le-box")];
  const share = (text) => parseFloat(text) / 100;
  return Object.fromEntries(all.map((el) => [el.dataset.name, spot(el.style).map(share)]));
})"""


def test_boxes_between_keyframes_are_those_that_are_rendered(page_with, plan):
    plan = plan.with_scene(2, plan.scene(2).move("cat", right=0.3, keyframes=[4, 5, 9]))
    view = page_with(LayoutEditor(plan, scene=2))
    shown = view.page.evaluate(EVERY_FRAME)
    for name, track in frame_boxes(plan.scene(2), 16).items():
        for frame, box in enumerate(track):
            assert (box is None) == (name not in shown[frame])
            if box is not None:
                x, y, width, height = shown[frame][name]
                np.testing.assert_allclose((x, y, x + width, y + height), box, atol=1e-5)


def test_ghosts_and_the_path_of_the_selected_box(page_with, plan):
    view = page_with(LayoutEditor(plan, scene=2, selected="dog"))
    ghosts = view.page.locator(".le-ghost")
    # Frames 9 to 15 of 16 see the dog, which comes at keyframe 6: 4.5/8 of the way.
    assert ghosts.count() == sum(box is not None for box in frame_boxes(plan.scene(2))["dog"])
    assert view.page.locator('.le-lines line[stroke="#0072b2"]:not(.le-dot)').count() == 3
    dashed = view.page.locator('.le-lines rect[stroke="#0072b2"][stroke-dasharray]')
    assert dashed.count() == 0, "the dog is not here yet"
    view.page.get_by_title("Keyframe 9").click()
    assert dashed.count() == 1


def test_findings_come_with_the_edit_and_lead_to_their_place(page_with, plan):
    editor = LayoutEditor(plan, extent="one", keyframe=4.0)
    stage = Stage(page_with(editor))
    stage.drag((0.4, 0.7), (0.75, 0.3))
    found = stage.page.locator(".le-findings button")
    assert "jumps 0.5" in found.first.inner_text()
    assert "finding" in stage.page.locator("h4").inner_text()
    counts = [sum(one["scene"] == n for one in editor.findings) for n in (1, 2)]
    assert stage.page.locator(".le-count").all_inner_texts() == list(map(str, counts))
    assert stage.page.locator(".le-marks .le-found").count() >= 1
    stage.page.get_by_title("Keyframe 9").click()
    found.first.click()
    stage.view.settle()
    assert editor.keyframe == editor.findings[0]["keyframe"]


def test_an_invalid_drawing_is_kept_and_told(page_with, plan):
    editor = LayoutEditor(plan, selected="cat", render=lambda number, its_plan: [])
    stage = Stage(page_with(editor))
    stage.page.get_by_role("button", name="Delete").click()
    stage.view.settle()
    assert editor.plan == plan
    assert "Python keeps the last valid plan" in stage.page.locator("h4").inner_text()
    assert stage.page.get_by_role("button", name="Render this scene").is_disabled()
    stage.page.get_by_role("button", name="Undo").click()
    stage.view.settle()
    assert stage.page.locator("h4").inner_text() == "No findings in this scene"
    assert stage.page.locator(CAT).count() == 1


def test_names_are_text(page_with, plan):
    editor = LayoutEditor(plan)
    stage = Stage(page_with(editor))
    stage.drag((0.6, 0.1), (0.9, 0.35))
    stage.page.keyboard.type("<img src=x onerror=alert(1)>")
    stage.page.keyboard.press("Enter")
    stage.view.settle()
    assert "<img src=x onerror=alert(1)>" in editor.plan.scene(1).entities
    assert stage.page.locator(".vdjax img").count() == 0


def test_frames_follow_the_slider_by_mouse_and_by_keys_and_play(page_with, plan):
    view = page_with(LayoutEditor(plan, [clip(0, 80, 160, 240), None]))
    slider = view.page.get_by_role("slider", name="Frame")

    def shade():
        view.settle()
        return int(view.picture(".le-stage")[30, 30, 0])

    assert shade() < 10
    inside = view.picture(".le-stage")
    height, width, _ = inside.shape
    assert inside[int(0.7 * height) + 20, int(0.15 * width)].max() < 10, "boxes are open"
    slider.focus()
    for wanted in (80, 160, 240):
        view.page.keyboard.press("ArrowRight")
        assert abs(shade() - wanted) < 10
    box = slider.bounding_box()
    view.page.mouse.click(box["x"] + 5, box["y"] + box["height"] / 2)
    assert shade() < 10
    view.page.get_by_role("button", name="Play").click()
    view.page.wait_for_function("document.querySelector('.le-where').textContent === 'frame 3/4'")
    view.page.get_by_role("button", name="Pause").click()
    assert view.get("keyframe") > 1
    view.page.get_by_role("tab", name="Scene 2").click()
    assert shade() > 200, "no frames here"


def test_each_step_of_rendering_is_seen_and_may_be_cancelled(page_with, plan):
    gates = [threading.Event() for _ in range(3)]

    def render(number, its_plan):
        for step, gate in enumerate(gates):
            assert gate.wait(10)
            yield clip(*[60 + 60 * step] * 4), f"step {step + 1} of 3"

    editor = LayoutEditor(plan, render=render, steps=3)
    view = page_with(editor)

    def sees(shade):
        return eventually(lambda: abs(int(view.picture(".le-stage")[30, 30, 0]) - shade) < 9)

    button = view.page.get_by_role("button", name="Render this scene")
    button.click()
    for step, gate in enumerate(gates):
        gate.set()
        assert sees(60 + 60 * step)
        if step < 2:
            view.page.get_by_text(f"scene 1, step {step + 1} of 3").wait_for()
            assert view.page.locator("progress").evaluate("(bar) => bar.value") == step + 1
    view.page.get_by_text("scene 1 is rendered").wait_for()
    assert editor.wait(5)
    assert (editor.clips[0] == 180).all()
    for gate in gates:
        gate.clear()
    button.click()
    gates[0].set()
    assert sees(60)
    view.page.get_by_title("Stop after this step").click()
    view.settle()
    gates[1].set()
    view.page.get_by_text("cancelled after step").wait_for()
    assert sees(180), "what was there before is back"


def test_python_and_two_views_show_the_same(page_with, plan):
    editor = LayoutEditor(plan)
    view = page_with(editor, views=2)
    first, second = (view.page.locator(".view").nth(i) for i in range(2))
    first.locator(CAT).focus()
    view.page.keyboard.press("ArrowRight")
    view.settle()
    assert second.locator(CAT).get_attribute("style") == first.locator(CAT).get_attribute("style")
    editor.plan = editor.plan.with_scene(1, editor.plan.scene(1).rename("cat", "tiger"))
    editor.scene = 1
    view.settle()
    for part in (first, second):
        assert part.locator('.le-box[data-name="tiger"]').count() == 1
        assert part.locator(CAT).count() == 0


def test_a_view_that_is_closed_leaves_nothing(page_with, plan):
    editor = LayoutEditor(plan)
    view = page_with(editor)
    view.page.evaluate("cleanup()")
    assert view.page.locator(".view > *").count() == 0
    assert view.page.evaluate("[...model.listeners.values()].every((all) => all.size === 0)")
    editor.scene = 2
    view.settle()


def test_a_page_without_a_kernel_plays_and_hides_what_needs_one(page_with, plan):
    editor = LayoutEditor(plan, [clip(20, 220), None], render=lambda number, its_plan: [])
    page = page_with(editor.to_html()).page
    page.locator(CAT).wait_for()
    for name in ("Draw box", "Delete", "Undo", "Render this scene"):
        assert page.get_by_role("button", name=name).count() == 0
    page.get_by_role("button", name="Play").click()
    page.get_by_text("frame 2/2").wait_for()
    page.get_by_role("tab", name="Scene 2").click()
    page.get_by_title("Keyframe 9").click()
    page.locator(DOG).wait_for()
    page.locator(DOG).focus()
    before = page.locator(DOG).get_attribute("style")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    assert page.locator(DOG).get_attribute("style") == before


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1200])
def test_it_fits_and_can_be_read(page_with, plan, width, theme):
    """Nothing is wider than the page, and text stands out from what is under it (WCAG AA)."""
    many = plan.scene(2)
    for name in ("palm tree", "very long name of a thing in the background", "bee"):
        many = many.add(name)
    editor = LayoutEditor(plan.with_scene(2, many), scene=2, keyframe=7.0, selected="dog")
    view = page_with(editor, width=width, theme=theme)
    view.keep(f"layout_editor_{width}_{theme}")
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in (".vdjax p", ".le-marks button", ".le-findings button", "h4", ".vdjax-main"):
        if view.page.locator(selector).count():
            assert view.page.evaluate(CONTRAST, selector) >= 4.5, selector


CONTRAST = """(selector) => {
  const el = document.querySelector(selector);
  const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
  let under = el;
  while (rgb(getComputedStyle(under).backgroundColor)[3] === 0) under = under.parentElement;
  const light = (text) => rgb(text).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const a = light(getComputedStyle(el).color);
  const b = light(getComputedStyle(under).backgroundColor);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


def test_an_edit_in_a_scene_of_its_own_touches_no_other(page_with, plan):
    editor = LayoutEditor(plan)
    stage = Stage(page_with(editor))
    stage.page.get_by_role("tab", name="Scene 1").focus()
    stage.page.keyboard.press("ArrowRight")
    stage.view.settle()
    assert editor.scene == 2
    stage.drag((0.25, 0.7), (0.3, 0.7))
    assert editor.plan.scene(1) == plan.scene(1)
    assert isinstance(editor.plan.scene(2), Scene)
    np.testing.assert_allclose(boxes(editor, "cat", 2)[0], (0.15, 0.5, 0.45, 0.9), atol=1e-3)
