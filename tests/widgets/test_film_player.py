"""The player from Python, and under a mouse and keys in a real browser."""

import base64
import io
import re
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("anywidget")

from vdjax.widgets.film_player import FilmPlayer


def shades(*values, size=(16, 16)):
    """A clip whose frames are of one grey each."""
    frames = np.empty((len(values), *size, 3), np.uint8)
    frames[:] = np.array(values, np.uint8).reshape(-1, 1, 1, 1)
    return frames


FIRST, SECOND = shades(0, 40, 80, 120), shades(160, 200, 240)


class Screen:
    def __init__(self, view):
        self.view, self.page = view, view.page

    def grey(self, film=0):
        """The shade in the upper left of a film, away from boxes and names."""
        data = self.page.locator(".fp-film .fs-stage").nth(film).screenshot()
        return int(np.asarray(Image.open(io.BytesIO(data)).convert("L"))[12, 12])

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def where(self):
        return self.page.locator(".fp-where").inner_text()


def eventually(holds, seconds=5.0):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
    return True


def test_a_saved_notebook_has_a_film_that_moves_with_its_captions(plan, clips):
    player = FilmPlayer({"on": clips, "off": clips[::-1]}, plan)
    content = player._repr_mimebundle_()[0]["text/html"]
    assert content.count("<b>on</b>") == content.count("<b>off</b>") == 1
    assert "2. The cat meets a dog" in content
    first, second = re.findall(r'src="data:image/webp;base64,([^"]+)"', content)
    film = Image.open(io.BytesIO(base64.b64decode(first)))
    assert film.n_frames > 16
    assert film.size == (288, 192)
    assert first != second
    assert 'alt="on: film in 2 scenes, 32 frames; scene 1, beach: A cat walks' in content


def test_without_a_plan_the_picture_is_of_frames():
    player = FilmPlayer([FIRST, FIRST])
    assert player.picture().size == (48, 32)
    assert player.films[0]["scenes"][0]["boxes"] == {}


@pytest.mark.browser
def test_it_steps_and_jumps_through_scenes_by_keys_and_mouse(page_with):
    player = FilmPlayer([FIRST, SECOND])
    screen = Screen(page_with(player))
    assert eventually(lambda: abs(screen.grey() - 0) < 6)
    page = screen.page
    page.locator(".fp-screens").hover()
    screen.button("One frame on").click()
    page.keyboard.press(".")
    screen.view.settle()
    assert (player.scene, player.frame) == (1, 3)
    assert abs(screen.grey() - 80) < 6
    page.keyboard.press("]")
    screen.view.settle()
    assert (player.scene, player.frame) == (2, 1)
    assert abs(screen.grey() - 160) < 6
    for key, expected in (("End", (2, 3)), (",", (2, 2)), ("Home", (1, 1)), ("[", (1, 1))):
        page.keyboard.press(key)
        screen.view.settle()
        assert (player.scene, player.frame) == expected
    page.get_by_role("button", name="Scene 2").click()
    screen.view.settle()
    assert (player.scene, player.frame) == (2, 1)
    assert page.locator('[aria-current="true"]').inner_text().startswith("2")
    slider = page.get_by_role("slider", name="Frame of the film")
    slider.focus()
    page.keyboard.press("ArrowRight")
    screen.view.settle()
    assert (player.scene, player.frame) == (2, 2)
    assert slider.get_attribute("aria-valuetext") == "scene 2, frame 2 of 3"
    player.scene, player.frame = 1, 2
    screen.view.settle()
    assert screen.where() == "scene 1/2 · frame 2/4"
    assert eventually(lambda: abs(screen.grey() - 40) < 6)


@pytest.mark.browser
def test_fingers_choose_scenes_and_frames(page_with):
    player = FilmPlayer([FIRST, SECOND])
    screen = Screen(page_with(player, width=380, touch=True))
    screen.page.get_by_role("button", name="Scene 2").tap()
    screen.button("One frame on").tap()
    screen.view.settle()
    assert (player.scene, player.frame) == (2, 2)
    slider = screen.page.get_by_role("slider", name="Frame of the film")
    size = slider.bounding_box()
    slider.tap(position={"x": size["width"] - 2, "y": size["height"] / 2})
    screen.view.settle()
    assert (player.scene, player.frame) == (2, 3)


@pytest.mark.browser
def test_it_plays_pauses_and_repeats_what_it_is_told_to(page_with):
    player = FilmPlayer([FIRST, SECOND], fps=40, loop="none")
    screen = Screen(page_with(player))
    screen.button("Play").click()
    assert eventually(lambda: screen.button("Play").count() == 1 and screen.where().endswith("3/3"))
    screen.view.settle()
    assert (player.scene, player.frame) == (2, 3)  # it stopped at the end, and Python was told
    screen.page.keyboard.press("l")
    screen.page.keyboard.press("l")
    screen.view.settle()
    assert player.loop == "scene"
    screen.page.keyboard.press("k")
    seen = set()
    assert eventually(lambda: seen.add(screen.where()) or len(seen) == 3)
    assert all(place.startswith("scene 2/2") for place in seen)
    screen.page.locator(".fp-screens").click()
    screen.view.settle()
    assert player.scene == 2
    screen.page.get_by_label("Speed").select_option("0.5")
    screen.view.settle()
    assert player.speed == 0.5


@pytest.mark.browser
def test_two_films_go_in_step_and_each_at_its_own_length(page_with):
    longer = shades(0, 30, 60, 90, 120, 150, 180, 210)
    player = FilmPlayer({"A": [longer], "B": [shades(0, 70, 140, 210)]})
    screen = Screen(page_with(player, width=380))
    assert screen.page.locator(".fp-title").all_inner_texts() == ["A", "B"]
    player.frame = 8
    screen.view.settle()
    assert eventually(lambda: abs(screen.grey(0) - 210) < 6 and abs(screen.grey(1) - 210) < 6)
    player.frame = 3
    screen.view.settle()
    assert eventually(lambda: abs(screen.grey(0) - 60) < 6 and abs(screen.grey(1) - 70) < 6)


@pytest.mark.browser
def test_boxes_and_captions_come_and_go(page_with, plan, clips):
    player = FilmPlayer(clips, plan)
    view = page_with(player)
    page = view.page
    assert page.locator(".fp-film .fs-chip").all_inner_texts() == ["cat"]
    assert page.locator(".fp-caption").inner_text() == "A cat walks"
    with_boxes = view.picture(".fp-film .fs-stage")
    page.get_by_label("Boxes").focus()
    page.keyboard.press("Space")
    view.settle()
    assert player.boxes is False
    assert page.locator(".fp-film .fs-boxes rect").count() == 0
    assert (view.picture(".fp-film .fs-stage") != with_boxes).any()
    player.boxes, player.scene, player.frame = True, 2, 16
    view.settle()
    assert page.locator(".fp-film .fs-chip").all_inner_texts() == ["cat", "dog"]
    page.get_by_label("Captions").click()
    view.settle()
    assert player.captions is False
    assert not page.locator(".fp-caption").is_visible()


@pytest.mark.browser
def test_an_exported_page_plays_without_a_kernel(page_with, plan, clips, tmp_path):
    html = FilmPlayer(clips, plan, fps=40).to_html(tmp_path / "film.html")
    assert (tmp_path / "film.html").read_text(encoding="utf-8") == html
    screen = Screen(page_with(html, theme="dark"))
    screen.button("Play").click()
    assert eventually(lambda: screen.where().startswith("scene 2/2"))
    screen.button("Pause").click()
    assert screen.view.page.locator(".fp-caption").inner_text() == "The cat meets a dog"


@pytest.mark.browser
def test_views_of_one_player_stand_at_the_same_place_and_end_alone(page_with):
    view = page_with(FilmPlayer([FIRST, SECOND]), views=2)
    page = view.page
    page.get_by_role("button", name="Scene 2").first.click()
    view.settle()
    assert page.locator(".fp-where").all_inner_texts() == ["scene 2/2 · frame 1/3"] * 2
    page.get_by_role("button", name="Play", exact=True).first.click()
    page.evaluate("cleanup()")
    before = page.locator(".fp-where").first.inner_text()
    page.wait_for_timeout(300)
    assert page.locator(".fp-where").first.inner_text() == before
