"""The pictures at the head of the notebooks: one module each, with one function `draw`."""
