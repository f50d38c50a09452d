"""Weights of other packages brought into this one's layout, one file per source."""
