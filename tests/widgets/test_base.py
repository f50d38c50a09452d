import re

import numpy as np
import pytest

pytest.importorskip("anywidget")

from vdjax.errors import OutputError
from vdjax.inspect.pictures import ENTITY_STYLES
from vdjax.widgets.base import PALETTE, Widget, entity_styles, sheet
from vdjax.widgets.layout_editor import LayoutEditor


def test_widgets_and_figures_colour_entities_alike():
    assert [colour for colour, _ in PALETTE] == [colour for colour, _ in ENTITY_STYLES]
    assert len({dashes for _, dashes in PALETTE}) == len(PALETTE), "told apart without colour"
    assert entity_styles(["cat", "dog", "cat"]) == {"cat": PALETTE[0], "dog": PALETTE[1]}


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_a_sheet_holds_every_frame(count):
    import io

    from PIL import Image

    frames = np.random.default_rng(0).integers(0, 256, (count, 6, 8, 3), dtype=np.uint8)
    made = sheet(frames, quality=100)
    whole = np.asarray(Image.open(io.BytesIO(made["data"])).convert("RGB"))
    assert (made["count"], made["width"], made["height"]) == (count, 8, 6)
    for index in range(count):
        row, column = divmod(index, made["columns"])
        assert (whole[row * 6 :][:6, column * 8 :][:, :8] == frames[index]).all()


def test_a_module_comes_with_what_it_stands_on(plan):
    module = str(LayoutEditor(plan)._esm)
    for name in ("function h(", "function boxAt(", "class LayoutView", "export default"):
        assert module.count(name) == 1
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", module), "no address of any server"
    assert ".innerHTML" not in module


def test_a_class_of_a_users_own_has_its_parents_module(plan):
    class Own(LayoutEditor):
        pass

    assert str(Own(plan)._esm) == str(LayoutEditor(plan)._esm)


def test_a_saved_notebook_has_a_picture_and_words(plan):
    editor = LayoutEditor(plan)
    bundle, _ = editor._repr_mimebundle_()
    assert 'alt="Scene 1, beach' in bundle["text/html"] or 'alt="Scene 1' in bundle["text/html"]
    assert "data:image/webp;base64," in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert bundle["text/plain"].startswith("LayoutEditor: Scene 1")
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == editor.model_id
    assert Widget._ipython_display_ is None  # ipywidgets 7 would bypass the bundle


def test_a_page_is_written_whole_or_not_at_all(plan, tmp_path):
    editor = LayoutEditor(plan)
    assert editor.to_html(tmp_path / "page.html") == (tmp_path / "page.html").read_text()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        editor.to_html(tmp_path / "file" / "page.html")


def test_names_cannot_leave_their_place_in_a_page(plan):
    scene = plan.scene(1).rename("cat", "</script><img src=x onerror=alert(1)>")
    page = LayoutEditor(plan.with_scene(1, scene)).to_html()
    assert "<img src=x" not in page
    assert page.count("</script>") == page.count("<script>")
