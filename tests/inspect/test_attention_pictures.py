import io

import numpy as np
import pytest
from attention_records import TOKENS, make_frames, make_record
from PIL import Image

from vdjax.errors import UserError
from vdjax.inspect.attention import AttentionRecord
from vdjax.inspect.attention_pictures import (
    attention_clip,
    attention_grid,
    attention_strip,
    attention_view,
)
from vdjax.inspect.pictures import overlay
from vdjax.inspect.views import Look

RECORD, FRAMES = make_record(), make_frames()
WORDS_ONLY = AttentionRecord(
    {name: maps[..., 3:] for name, maps in RECORD.maps.items()}, RECORD.timesteps, TOKENS[3:]
)


def drawn(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


def test_a_clip_is_every_frame_with_its_map():
    clip = attention_clip(
        RECORD, FRAMES, "dog", step=2, layer="mid 0", head=1, colours="cividis", opacity=0.4
    )
    look = Look("dog", 2, "mid 0", 1)
    heat, limits = look.heat(RECORD), look.limits(RECORD)
    for index in range(4):
        wanted = overlay(FRAMES[index], heat[index], tuple(limits[index]), 0.4, "cividis")
        assert (clip[index] == wanted).all()


def test_a_box_is_drawn_where_the_plan_has_one(plan):
    plain = attention_clip(RECORD, FRAMES, "dog")
    boxed = attention_clip(RECORD, FRAMES, "dog", plan=plan, scene=2)
    changed = (plain != boxed).any(axis=(1, 2, 3))
    assert changed.tolist() == [False, False, True, True], "the dog comes half-way"
    rows, columns = np.nonzero((plain != boxed)[3].any(axis=-1))
    assert (columns.min(), columns.max()) == (15, 29)  # 0.5 and 0.9 of 32, and the line around it
    assert (rows.min(), rows.max()) == (9, 22)


def test_two_records_stand_side_by_side_on_one_scale():
    other = (make_record(seed=5), make_frames(seed=6))
    both = attention_clip(RECORD, FRAMES, "cat", step=1, compare=other)
    left, right = both[:, :, :32], both[:, :, 34:]
    limits = Look("cat", 1).limits(RECORD, other[0])[0]
    for clip, (record, frames) in ((left, (RECORD, FRAMES)), (right, other)):
        heat = Look("cat", 1).heat(record)
        assert (clip[2] == overlay(frames[2], heat[2], tuple(limits), 0.65, "viridis")).all()
    assert (both[:, :, 32:34] == 255).all()


def test_a_record_without_the_token_shows_its_bare_frames():
    both = attention_clip(RECORD, FRAMES, "cat", compare=(WORDS_ONLY, FRAMES))
    assert (both[:, :, 34:] == FRAMES).all()
    figure = attention_view(RECORD, FRAMES, "cat", compare=(WORDS_ONLY, FRAMES))
    assert figure.axes[1].get_title() == "B\n'cat' is not looked at"
    with pytest.raises(UserError, match="token 'cat' was not recorded"):
        attention_clip(WORDS_ONLY, FRAMES, "cat")


def test_a_view_tells_what_it_shows_in_words_and_numbers(plan):
    figure = attention_view(
        RECORD, FRAMES, "cat", frame=2, step=1, layer="mid 0", plan=plan, scene=2
    )
    picture, bar = figure.axes
    look = Look("cat", 1, "mid 0")
    limits = look.limits(RECORD)[1]
    assert bar.get_ylim() == pytest.approx(tuple(limits))
    assert figure.get_suptitle() == (
        "attention on 'cat', frame 2 of 4\nstep 1 of 3 (t=900), layer mid 0"
    )
    assert "inside (even: 12%)" in picture.get_title()
    assert drawn(figure).std() > 0


def test_a_grid_has_a_row_per_layer_and_a_column_per_step(plan):
    figure = attention_grid(RECORD, FRAMES, "cat", frame=4, plan=plan, scene=2)
    assert len(figure.axes) == 3 * 3
    assert [axis.get_title() for axis in figure.axes[:3]] == [
        "step 1\nt=900",
        "step 2\nt=500",
        "step 3\nt=100",
    ]
    assert [figure.axes[at].get_ylabel() for at in (0, 3, 6)] == ["mean", "down 0.0", "mid 0"]
    shown = figure.axes[3].images[0].get_array()
    assert (shown == Look("cat", 1, "down 0.0").heat(RECORD)[3]).all()
    assert len(figure.axes[3].texts) == 1
    assert not figure.axes[5].texts, "nothing was looked at without gates"
    assert drawn(figure).std() > 0


def test_a_strip_has_a_row_per_entity_and_a_column_per_frame(plan):
    figure = attention_strip(RECORD, FRAMES, step=2, plan=plan, scene=2, columns=2)
    assert [axis.get_title() for axis in figure.axes[:2]] == ["frame 1", "frame 4"]
    assert [figure.axes[at].get_ylabel() for at in (0, 2, 4)] == ["cat", "dog", "beach"]
    shown = figure.axes[3].images[0].get_array()
    assert (shown == Look("dog", 2).heat(RECORD)[3]).all()
    assert [len(axis.patches) for axis in figure.axes] == [2, 2, 0, 2, 0, 0]
    words = attention_strip(RECORD, FRAMES, tokens=["word the"])
    assert words.axes[0].get_ylabel() == "word the"


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(UserError, match="there are 3 frames and maps of 4"):
        attention_clip(RECORD, FRAMES[:3], "cat")
    with pytest.raises(UserError, match="frame is 5: the scene has frames 1 to 4"):
        attention_view(RECORD, FRAMES, "cat", frame=5)
    with pytest.raises(UserError, match="frame is 0"):
        attention_grid(RECORD, FRAMES, "cat", frame=0)
    with pytest.raises(UserError, match="opacity is 2"):
        attention_clip(RECORD, FRAMES, "cat", opacity=2)
