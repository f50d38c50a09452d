"""What notebooks show: pictures and films with words for those who cannot see them, and sliders.

Everything here also leaves something to look at in a saved notebook, where nothing runs any more.
"""

from vdjax.widgets.knobs import Knobs
from vdjax.widgets.show import film_html, picture_html, play, show

__all__ = ["Knobs", "film_html", "picture_html", "play", "show"]
