import pytest

ipywidgets = pytest.importorskip("ipywidgets")

from vdjax.widgets.knobs import Knobs  # noqa: E402


@pytest.fixture
def calls():
    return []


@pytest.fixture
def knobs(calls):
    def draw(alpha, seed):
        calls.append((alpha, seed))
        if seed == 13:
            raise RuntimeError("no <luck>")
        return f'<img alt="alpha {alpha:g}, seed {seed}"/>'

    alpha = ipywidgets.FloatSlider(value=0.5, min=0, max=1, step=0.1)
    return Knobs(draw, alpha=alpha, seed=ipywidgets.IntSlider(value=1, max=20))


def sliders(knobs):
    return {"alpha": knobs.children[0], "seed": knobs.children[1]}


def test_it_draws_at_once_and_again_when_a_slider_moves(knobs, calls):
    assert calls == [(0.5, 1)]
    sliders(knobs)["alpha"].value = 0.2
    assert knobs.values == {"alpha": 0.2, "seed": 1}
    assert calls[-1] == (0.2, 1)
    assert knobs.children[-1].value == '<img alt="alpha 0.2, seed 1"/>'
    assert "alpha = 0.2, seed = 1" in knobs.children[-2].value


def test_what_was_drawn_is_kept(knobs, calls):
    sliders(knobs)["seed"].value = 2
    sliders(knobs)["seed"].value = 1
    assert calls == [(0.5, 1), (0.5, 2)]
    assert "seed 1" in knobs.children[-1].value


def test_an_error_is_said_and_the_picture_before_stays(knobs):
    sliders(knobs)["seed"].value = 13
    assert "RuntimeError: no &lt;luck&gt;" in knobs.children[-2].value
    assert "seed 1" in knobs.children[-1].value


def test_a_saved_notebook_has_the_picture_and_the_settings(knobs):
    """Readers without a kernel see HTML; those with one, the live widget."""
    bundle = knobs._repr_mimebundle_()
    assert '<img alt="alpha 0.5, seed 1"/>' in bundle["text/html"]
    assert "alpha = 0.5, seed = 1" in bundle["text/html"]
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == knobs.model_id
    assert Knobs._ipython_display_ is None  # ipywidgets 7 would bypass the bundle
