"""Makes, runs and checks the notebooks; `scripts/build_notebooks.py` is its door."""
