"""The inspector in Python, and under a real mouse and real keys in a real browser."""

import io

import numpy as np
import pytest
from attention_records import TOKENS, make_frames, make_record
from PIL import Image

pytest.importorskip("anywidget")

from vdjax.errors import OutputError, UserError
from vdjax.inspect.attention import AttentionRecord
from vdjax.inspect.attention_pictures import attention_view
from vdjax.inspect.pictures import overlay
from vdjax.inspect.views import Look
from vdjax.widgets.attention_inspector import AttentionInspector

RECORD, FRAMES = make_record(), make_frames()
OTHER = make_record(seed=5), make_frames(seed=6)
WORDS_ONLY = AttentionRecord(
    {name: maps[..., 3:] for name, maps in RECORD.maps.items()}, RECORD.timesteps, TOKENS[3:]
)

CANVAS = """(at) => {
  const canvas = document.querySelectorAll(".fs-canvas")[at];
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return [Array.from(data), width, height];
}"""


def inspector(plan=None, **options):
    return AttentionInspector(RECORD, FRAMES, plan, scene=2, **options)


def canvas(view, at=0):
    data, width, height = view.page.evaluate(CANVAS, at)
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


def painted(look, frame, record=RECORD, frames=FRAMES, others=(), opacity=0.65, colours="viridis"):
    """What Python draws of the same look."""
    heat, limits = look.heat(record), look.limits(record, *others)
    at = frame - 1
    return overlay(frames[at], heat[at], tuple(limits[at]), opacity, colours)


def agree(picture, wanted, most=16):
    """Nearly the same colours: the page has maps of 8 bits, and frames as WebP keeps them."""
    apart = np.abs(picture.astype(int) - wanted.astype(int))
    return apart.max() < most and apart.mean() < most / 5


def test_it_begins_at_the_last_step_of_the_first_token(plan):
    widget = inspector(plan)
    assert widget.look == Look("cat", 3, None, None, "step")
    assert "Attention on 'cat', step 3 of 3 (t=100), mean of the layers" in widget.alt
    widget.step, widget.layer, widget.head = 1, "mid 0", 2
    assert widget.look == Look("cat", 1, "mid 0", 2, "step")
    assert "inside its box over the scene, where an even map has" in widget.alt
    widget.layer = ""
    assert widget.look == Look("cat", 1)


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(UserError, match="there are 3 frames and maps of 4"):
        AttentionInspector(RECORD, FRAMES[:3])
    shorter = AttentionRecord(
        {name: maps[:2] for name, maps in RECORD.maps.items()}, (900, 500), TOKENS
    )
    with pytest.raises(UserError, match="the second"):
        inspector(compare=(shorter, FRAMES))


def test_heads_are_sent_when_they_are_asked_for():
    widget = inspector()
    assert widget.heads == []
    widget._asked(None, {"do": "heads", "token": "dog", "layer": "mid 0"}, [])
    (pack,) = widget.heads
    assert (pack["token"], pack["layer"]) == ("dog", "mid 0")
    assert len(pack["sides"][0]["maps"]) == 3 * 4 * 4 * 16
    for nonsense in ({"do": "heads", "token": "cow", "layer": "mid 0"}, {"do": "heads"}, None, "x"):
        widget._asked(None, nonsense, [])
    assert widget.heads == [pack]


@pytest.mark.parametrize("kind", ["png", "gif", "mp4"])
def test_what_is_shown_is_saved(plan, tmp_path, kind):
    widget = inspector(plan, compare=OTHER, token="dog", step=1, frame=4)
    path = widget.save(tmp_path / f"look.{kind}")
    data = path.read_bytes()
    assert data[:4] in (b"\x89PNG", b"GIF8") or data[4:8] == b"ftyp"
    if kind != "mp4":
        image = Image.open(io.BytesIO(data))
        assert getattr(image, "n_frames", 1) == (1 if kind == "png" else 4)
    with pytest.raises(UserError, match=r"ends in '.bmp': use .png, .gif, .mp4"):
        widget.save(tmp_path / "look.bmp")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        widget.save(tmp_path / "file" / f"look.{kind}")


def test_the_buttons_files_take_nobodys_place(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    widget = inspector(plan, token="word the", step=2, layer="mid 0", head=1)
    for _ in range(2):
        widget._asked(None, {"do": "save", "kind": "png"}, [])
        assert widget.saved["failed"] is False
    names = {path.name for path in tmp_path.iterdir()}
    name = "attention-word-the-step-2-mid-0-head-1"
    assert names == {f"{name}.png", f"{name}-2.png"}


def test_a_saved_notebook_has_the_picture(plan):
    bundle, _ = inspector(plan, step=1)._repr_mimebundle_()
    assert "Attention on &#x27;cat&#x27;, step 1 of 3" in bundle["text/html"]
    assert "data:image/webp;base64," in bundle["text/html"]


@pytest.mark.browser
def test_the_page_draws_what_python_draws(plan, page_with):
    widget = inspector(step=2, layer="mid 0", frame=3, opacity=0.8)
    view = page_with(widget)
    assert agree(canvas(view), painted(Look("cat", 2, "mid 0"), 3, opacity=0.8))
    for norm in ("map", "absolute"):
        view.page.get_by_role("combobox", name="Scale").select_option(norm)
        view.settle()
        assert widget.norm == norm
        wanted = painted(Look("cat", 2, "mid 0", None, norm), 3, opacity=0.8)
        assert agree(canvas(view), wanted)
    view.page.get_by_role("combobox", name="Colours").select_option("cividis")
    view.page.get_by_role("button", name="word the").click()
    view.page.get_by_role("combobox", name="Layer").select_option("down 0.0")
    view.settle()
    wanted = painted(
        Look("word the", 2, "down 0.0", None, "absolute"), 3, opacity=0.8, colours="cividis"
    )
    assert agree(canvas(view), wanted)
    assert not agree(canvas(view), painted(Look("cat", 2, "down 0.0"), 3))


@pytest.mark.browser
def test_the_step_slider_moves_without_python(page_with):
    widget = inspector(step=1, layer="down 0.0")
    view = page_with(widget)
    slider = view.page.get_by_label("Denoising step")
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    view.page.mouse.move(box["x"] + 8, y)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + box["width"] / 2, y, steps=4)
    view.settle()
    assert agree(canvas(view), painted(Look("cat", 2, "down 0.0"), 1))
    assert widget.step == 1, "Python hears of it when the mouse is released"
    view.page.mouse.up()
    view.settle()
    assert widget.step == 2
    slider.press("ArrowRight")
    view.settle()
    assert widget.step == 3
    words = view.page.locator(".ai-share").inner_text()
    assert words == "the gates are off in this step: the token is not looked at"
    view.page.get_by_label("Mean of the steps").check()
    view.settle()
    assert widget.step == 0
    assert agree(canvas(view), painted(Look("cat", None, "down 0.0"), 1))


@pytest.mark.browser
def test_a_head_is_fetched_once_and_shown(page_with):
    widget = inspector(step=2, layer="mid 0")
    view = page_with(widget)
    view.page.get_by_role("combobox", name="Head").select_option("3")
    view.settle()
    view.settle()
    assert agree(canvas(view), painted(Look("cat", 2, "mid 0", 3), 1))
    assert len(widget.heads) == 1
    sent = []
    widget.observe(lambda change: sent.append(change), "heads")
    view.page.get_by_role("combobox", name="Head").select_option("1")
    view.settle()
    assert agree(canvas(view), painted(Look("cat", 2, "mid 0", 1), 1))
    assert not sent, "all heads of the layer had come"


@pytest.mark.browser
def test_two_records_are_shown_in_step_on_one_scale(plan, page_with):
    widget = inspector(plan, compare=OTHER, titles=("on", "off"), token="dog", step=1, boxes=False)
    view = page_with(widget, width=1200)
    look = Look("dog", 1)
    view.page.keyboard.press("Tab")
    view.page.locator(".vdjax-attention").focus()
    view.page.keyboard.press(".")
    view.page.keyboard.press("]")
    view.settle()
    assert (widget.frame, widget.step) == (2, 2)
    look = Look("dog", 2)
    assert agree(canvas(view, 0), painted(look, 2, others=[OTHER[0]]))
    assert agree(canvas(view, 1), painted(look, 2, *OTHER, others=[RECORD]))
    low, _, high = view.page.locator(".ai-scale span").all_inner_texts()
    limits = look.limits(RECORD, OTHER[0])[0]
    assert float(low) == pytest.approx(limits[0], rel=0.06)
    assert float(high) == pytest.approx(limits[1], rel=0.06)


@pytest.mark.browser
def test_a_record_without_the_token_says_so(plan, page_with):
    view = page_with(inspector(plan, compare=(WORDS_ONLY, FRAMES), step=1))
    assert view.page.locator(".ai-share").all_inner_texts()[1] == "not looked at in this record"
    assert agree(canvas(view, 1), FRAMES[0], most=25)  # WebP halves colours' resolution


@pytest.mark.browser
def test_shares_are_told_against_chance(plan, page_with):
    widget = inspector(plan, token="dog", step=1, frame=4, layer="down 0.0")
    view = page_with(widget)
    text = view.page.locator(".ai-share").inner_text()
    assert "× chance (20 %)" in text
    assert view.page.locator(".fs-boxes rect").count() == 2
    chart = view.page.locator(".ai-chart").get_attribute("aria-label")
    assert "Share of the attention on dog inside its box" in chart
    view.page.get_by_label("Boxes").uncheck()
    view.settle()
    assert view.page.locator(".fs-boxes rect").count() == 0
    view.page.get_by_role("slider", name="Frame").press("Home")
    view.settle()
    assert view.page.locator(".ai-share").inner_text() == "no box in this frame"


@pytest.mark.browser
@pytest.mark.parametrize("touch", [False, True], ids=["mouse", "finger"])
def test_small_maps_are_picked(plan, page_with, touch):
    widget = inspector(plan)
    view = page_with(widget, width=1200, touch=touch)
    strip, grid = view.page.locator(".ai-cells").all()
    box = grid.bounding_box()
    (grid.tap if touch else grid.click)(
        position={"x": box["width"] * 1.5 / 4, "y": box["height"] * 2.5 / 3}
    )
    view.settle()
    assert (widget.step, widget.layer) == (2, "mid 0")
    box = strip.bounding_box()
    (strip.tap if touch else strip.click)(
        position={"x": box["width"] * 3.5 / 4, "y": box["height"] * 1.5 / 3}
    )
    view.settle()
    assert (widget.token, widget.frame) == ("dog", 4)
    assert "dog, frame 4, step 2, mid 0" in view.page.locator(".vdjax-said").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("edited", [False, True], ids=["same plan", "a plan of its own"])
def test_the_copied_call_draws_this_view(plan, page_with, edited):
    scene = plan.scene(2)
    moved = [dict.fromkeys(boxes, (0.0, 0.0, 0.3, 0.3)) for boxes in scene.keyframes]
    plan_b = plan.with_scene(2, scene.replace(keyframes=moved))
    compare = (*OTHER, plan_b) if edited else OTHER
    widget = inspector(plan, compare=compare, token="dog", step=2, frame=4, layer="mid 0")
    view = page_with(widget)
    view.page.get_by_role("combobox", name="Head").select_option("2")
    view.page.get_by_role("combobox", name="Scale").select_option("map")
    view.settle()
    view.page.get_by_role("button", name="Copy the Python call").click()
    view.settle()
    code = view.page.locator(".ai-call").input_value()
    names = {"record": RECORD, "frames": FRAMES, "plan": plan}
    names |= {"record_b": OTHER[0], "frames_b": OTHER[1], "plan_b": plan_b}
    exec(code.replace("\nattention_view(", "\nfigure = attention_view("), names)
    wanted = attention_view(
        *(RECORD, FRAMES, "dog"),
        frame=4,
        step=2,
        layer="mid 0",
        head=2,
        norm="map",
        plan=plan,
        scene=2,
        compare=compare,
    )
    copied, asked, saved = drawing(names["figure"]), drawing(wanted), np.asarray(widget._view())
    assert (copied == asked).all()
    assert (saved == asked).all(), "and PNG saves it"


def drawing(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


@pytest.mark.browser
def test_files_are_saved_by_buttons_and_it_is_said(plan, page_with, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    view = page_with(inspector(plan, step=1))
    view.page.get_by_label("Save as gif").click()
    view.settle()
    view.settle()
    assert [path.name for path in tmp_path.iterdir()] == ["attention-cat-step-1.gif"]
    assert "Saved as attention-cat-step-1.gif" in view.page.locator(".vdjax-said").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "theme"), [(380, "dark"), (1200, "light")])
def test_it_fits_the_page(plan, page_with, width, theme):
    view = page_with(inspector(plan, compare=OTHER, step=1), width=width, theme=theme)
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width
    view.keep(f"attention_inspector_{width}_{theme}")


@pytest.mark.browser
def test_an_exported_page_plays_with_heads_and_without_python(plan, page_with, tmp_path):
    widget = inspector(plan, step=2, layer="mid 0", token="dog", boxes=False)
    view = page_with(widget.to_html(tmp_path / "page.html"))
    view.page.wait_for_selector(".ai-share")
    view.page.get_by_role("combobox", name="Head").select_option("2")
    view.page.get_by_role("slider", name="Frame").press("ArrowRight")
    view.page.wait_for_timeout(200)
    assert agree(canvas(view), painted(Look("dog", 2, "mid 0", 2), 2))
    assert view.page.get_by_label("Save as gif").count() == 0
    view.page.get_by_role("button", name="Play").click()
    slider = view.page.get_by_role("slider", name="Frame")
    seen = set()
    while seen != {"1", "2", "3", "4"}:  # it plays round and round
        seen.add(slider.input_value())
    view.page.get_by_role("button", name="Pause").click()


@pytest.mark.browser
def test_two_views_are_one_and_clean_up(page_with):
    widget = inspector(step=1, layer="down 0.0")
    view = page_with(widget, views=2)
    view.page.get_by_label("Denoising step").first.press("ArrowRight")
    view.settle()
    wanted = painted(Look("cat", 2, "down 0.0"), 1)
    assert agree(canvas(view, 0), wanted)
    assert agree(canvas(view, 1), wanted)
    view.page.evaluate("cleanup()")
    assert view.page.evaluate("[...model.listeners.values()].every((some) => some.size === 0)")
