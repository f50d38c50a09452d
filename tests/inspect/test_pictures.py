import io

import numpy as np
import pytest
from PIL import Image

from vdjax.errors import UserError
from vdjax.inspect.gates import Gate
from vdjax.inspect.pictures import attention_figure, gate_figure, overlay, plan_figure

FRAME = np.full((32, 32, 3), 100, np.uint8)


def drawn(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


def test_overlay_is_bright_where_the_map_is_high():
    heat = np.zeros((4, 4))
    heat[1, 3] = 0.5
    picture = overlay(FRAME, heat).astype(int).sum(-1)
    y, x = np.unravel_index(picture.argmax(), picture.shape)
    assert (y // 8, x // 8) == (1, 3)
    assert picture[:4, :4].max() < picture[y, x] / 2


def test_overlay_without_opacity_is_the_frame_in_grey():
    colourful = FRAME.copy()
    colourful[..., 0] = 160
    assert (overlay(colourful, np.ones((2, 2)), opacity=0) == 120).all()


def test_overlays_share_a_scale_where_one_is_given():
    low, high = (overlay(FRAME, np.full((2, 2), v), limits=(0, 1)).mean() for v in (0.1, 0.9))
    assert low < high
    alone = [overlay(FRAME, np.full((2, 2), v)).mean() for v in (0.1, 0.9)]
    assert alone[0] == alone[1]


def test_an_empty_map_can_be_drawn():
    assert np.isfinite(overlay(FRAME, np.zeros((2, 2)))).all()
    with pytest.raises(UserError, match="opacity"):
        overlay(FRAME, np.zeros((2, 2)), opacity=1.5)


def test_attention_figure_tells_shares_and_draws_boxes():
    frames = np.stack([FRAME] * 6)
    heat = np.zeros((6, 4, 4))
    heat[:, 0, 0] = 0.2
    boxes = {"cat": [(0.0, 0.0, 0.5, 0.5)] * 3 + [None] * 3}
    figure = attention_figure(frames, {"cat": heat}, boxes, "where", columns=2)
    film, cat = figure.axes[:2], figure.axes[2:4]
    assert [axis.get_title() for axis in film] == ["frame 1 of 6", "frame 6 of 6"]
    assert cat[0].get_title() == "100% inside (even: 25%)"
    assert cat[1].get_title() == ""
    assert len(cat[0].patches) == 2
    assert not cat[1].patches
    assert figure.get_suptitle() == "where"
    assert drawn(figure).std() > 0


def test_gate_figure_has_two_bars_per_layer_of_the_right_height():
    figure = gate_figure([Gate("down 0.0", 0.25, -0.5), Gate("mid 0", 0.0, 0.1)], "gates")
    (axis,) = figure.axes
    assert [bar.get_height() for bar in axis.patches] == [0.25, 0.0, -0.5, 0.1]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["down 0.0", "mid 0"]
    assert drawn(figure).std() > 0


def test_plan_figure_shows_every_scene_with_first_and_last_boxes(plan):
    figure = plan_figure(plan)
    assert [axis.get_title() for axis in figure.axes] == ["scene 1: beach", "scene 2: park"]
    cat_first, cat_last = figure.axes[0].patches
    assert cat_first.get_xy() == pytest.approx((0.05, 0.5))
    assert cat_last.get_xy() == pytest.approx((0.45, 0.5))
    assert [text.get_text() for text in figure.axes[1].texts] == ["cat", "dog"]
    assert drawn(figure).std() > 0
