"""The gates' inspector from Python, and under a mouse and keys in a real browser."""

import threading
import time

import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("anywidget")

from vdjax.errors import UserError
from vdjax.inspect.gates import Gate, GateRecord
from vdjax.widgets.gate_inspector import GateInspector
from vdjax.widgets.gate_picture import gates_html, times

GATES = [Gate("down 0.0", 0.5, 0.25), Gate("mid 0", -0.2, 0.0), Gate("up 0.0", 0.8, 0.9)]
RECORD = GateRecord(
    ("down 0.0", "mid 0", "up 0.0"),
    (999, 500, 10),
    np.array([[0.5, 0.4, 0.3], [0.01, 0.02, 0.03], [2.0, 1.5, 1.25]], np.float32),
    np.array([[10, 8, 6], [0, 0, 0], [0.2, 0.1, 0.05]], np.float32),
)


def shade(value, frames=4):
    return np.full((frames, 16, 16, 3), value, np.uint8)


def brightness(factors, from_step):
    """Frames as bright as the gates are open, and darker the earlier they are scaled."""
    for step in (1, 2):
        yield None, f"step {step}"
    yield shade(round(60 * sum(factors.values())) + from_step), "step 3"


def eventually(holds, seconds=5.0):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
    return True


def test_it_renders_with_the_factors_it_has_beside_the_film_as_it_is():
    inspector = GateInspector(GATES, RECORD, brightness)
    assert inspector.steps == 3
    inspector.factors = {**inspector.factors, "up 0.0": 0.0}
    inspector.from_step = 2
    inspector.render()
    assert inspector.wait(10)
    assert inspector.rendering == {"state": "done", "words": "up 0.0 at 0% from step 2 on"}
    assert int(inspector.clips["before"].max()) == 181
    assert int(inspector.clips["after"].max()) == 122
    assert inspector.change == 59
    assert inspector.before["count"] == inspector.after["count"] == 4
    assert "up 0.0 at 0% from step 2 on: the film changed by 59.0 of 255" in inspector.alt


def test_a_film_that_is_given_is_not_rendered_again():
    calls = []

    def render(factors, from_step):
        calls.append((factors, from_step))
        return shade(9)

    inspector = GateInspector(GATES, None, render, steps=4, before=shade(1))
    inspector.factors = dict.fromkeys(inspector.factors, 0.5)
    inspector.render()
    inspector.wait(10)
    assert calls == [({"down 0.0": 0.5, "mid 0": 0.5, "up 0.0": 0.5}, 1)]
    assert inspector.rendering["words"] == "all gates at 50% from step 1 on"


def test_it_can_be_cancelled_and_the_film_before_stays():
    may_go = threading.Event()
    closed = threading.Event()

    def slow(factors, from_step):
        try:
            yield None, "step 1"
            may_go.wait(10)
            yield shade(200), "step 2"
        finally:
            closed.set()

    inspector = GateInspector(GATES, RECORD, slow, before=shade(1))
    inspector.render()
    assert eventually(lambda: inspector.rendering.get("step") == 1)
    inspector.render()  # another is being made: nothing happens
    inspector.cancel()
    may_go.set()
    assert inspector.wait(10)
    assert inspector.rendering["state"] == "cancelled"
    assert closed.is_set()
    assert inspector.after == {}
    assert inspector.change is None


@pytest.mark.parametrize(
    ("render", "words"),
    [
        (lambda factors, step: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda factors, step: iter([]), "UserError: `render` gave no frames"),
        (lambda factors, step: np.zeros(3), "UserError: frames are float64"),
    ],
)
def test_what_goes_wrong_in_the_thread_is_said(render, words):
    inspector = GateInspector(GATES, RECORD, render, before=shade(1))
    inspector.render()
    inspector.wait(10)
    assert inspector.rendering["state"] == "failed"
    assert inspector.rendering["words"].startswith(words)


def test_what_it_cannot_work_with_is_refused():
    with pytest.raises(UserError, match="no gates"):
        GateInspector([])
    with pytest.raises(UserError, match="no gates"):
        GateInspector({"conv_in": {"kernel": jnp.zeros(3)}})
    with pytest.raises(UserError, match="steps"):
        GateInspector(GATES, None, brightness)
    with pytest.raises(UserError, match="nothing to render with"):
        GateInspector(GATES).render()


def test_its_plain_function_and_its_fallback_say_the_same():
    inspector = GateInspector(GATES, RECORD, before=shade(30))
    content = inspector._repr_mimebundle_()[0]["text/html"]
    assert gates_html(GATES, RECORD) in content
    assert "mid 0: attention -0.20, feed-forward 0.00" in content
    assert (
        "the attention gate adds most in up 0.0 at step 1 of 3: 2.0 times the features" in content
    )
    assert "<b>before</b>" in content
    assert inspector.picture().height > GateInspector(GATES).picture().height


@pytest.mark.parametrize(
    ("ratio", "words"), [(48.23, "48"), (9.97, "10"), (1.54, "1.5"), (0.0634, "0.06"), (0, "0")]
)
def test_ratios_are_told_in_two_digits(ratio, words):
    assert times(ratio) == words


@pytest.mark.browser
def test_sliders_scale_gates_and_the_film_follows(page_with):
    inspector = GateInspector(GATES, RECORD, brightness, before=shade(181))
    view = page_with(inspector, width=380)
    page = view.page
    assert page.locator(".gi-pair figure:visible").count() == 1
    page.get_by_role("button", name="up 0.0").click()
    view.settle()
    assert inspector.layer == "up 0.0"
    assert (
        "tanh(gate): attention 0.800, feed-forward 0.900"
        in page.locator(".gi-readout").inner_text()
    )
    fill = page.locator(".gi-bars").nth(2).locator(".gi-fill").first
    tall = fill.bounding_box()["height"]
    page.get_by_role("slider", name="Scale up 0.0").focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    view.settle()
    assert inspector.factors == {"down 0.0": 1.0, "mid 0": 1.0, "up 0.0": 0.5}
    assert fill.bounding_box()["height"] == pytest.approx(tall / 2, abs=1.5)
    page.get_by_role("slider", name="First step").focus()
    page.keyboard.press("ArrowRight")
    view.settle()
    assert inspector.from_step == 2
    assert page.locator(".gi-touched").count() == 2  # steps 2 and 3 of one layer
    page.get_by_role("button", name="Render with these gates").click()
    assert eventually(lambda: view.settle() or inspector.after != {})
    assert eventually(lambda: page.locator(".gi-pair figure:visible").count() == 2)
    view.settle()
    after = view.picture(".gi-pair .fs-stage >> nth=1")
    assert abs(int(after[8:-8, 8:-8].mean()) - 152) <= 3
    assert "differs by 29.0 of 255" in page.locator(".gi-pair figcaption").nth(1).inner_text()


@pytest.mark.browser
def test_all_layers_are_closed_by_one_button_and_chosen_by_arrows(page_with):
    inspector = GateInspector(GATES, RECORD, brightness)
    view = page_with(inspector)
    page = view.page
    page.get_by_role("button", name="Close", exact=True).click()
    view.settle()
    assert set(inspector.factors.values()) == {0}
    page.get_by_role("button", name="down 0.0").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    view.settle()
    assert inspector.layer == "mid 0"
    page.get_by_role("button", name="As it is").click()
    page.get_by_role("button", name="mid 0").click()  # again: all layers
    view.settle()
    assert (inspector.layer, inspector.factors["mid 0"]) == ("", 1)
    assert page.locator(".gi-controls output").first.inner_text() == "mixed"


@pytest.mark.browser
def test_the_map_shows_numbers_and_shades_of_the_chosen_gate(page_with):
    inspector = GateInspector(GATES, RECORD)
    view = page_with(inspector)
    page = view.page
    rows = page.locator(".gi-table tbody tr:visible")
    assert rows.count() == 4  # the bars and three steps; nothing can be scaled here
    assert rows.nth(1).locator("td").all_inner_texts() == ["0.50", "0.01", "2.0"]
    weak, strong = (view.picture(f".gi-cell >> nth={i}")[2:5, 2:5].mean((0, 1)) for i in (1, 2))
    assert np.abs(weak - strong).max() > 25
    page.get_by_role("button", name="feed-forward gate").click()
    view.settle()
    assert inspector.kind == "dense"
    assert rows.nth(1).locator("td").all_inner_texts() == ["10", "0", "0.20"]
    page.locator(".gi-cell").nth(5).hover()
    assert "At step 2 (noise level 500)" in page.locator(".gi-readout").inner_text()
    assert not page.locator(".gi-controls").is_visible()


@pytest.mark.browser
def test_an_exported_page_shows_the_films_without_a_kernel(page_with):
    inspector = GateInspector(GATES, RECORD, brightness)
    inspector.render()
    inspector.wait(10)
    view = page_with(inspector.to_html(), theme="dark")
    page = view.page
    assert not page.locator(".gi-controls").is_visible()
    assert page.locator(".gi-pair figure:visible").count() == 2
    page.get_by_role("slider", name="Frame").focus()
    page.keyboard.press("End")
    assert page.locator(".gi-films .gi-number").inner_text() == "frame 4/4"
    page.get_by_role("button", name="Play").click()
    assert eventually(lambda: page.locator(".gi-films .gi-number").inner_text() != "frame 4/4")
