"""Draw the loss curves of every stage in a runs folder into one picture, for the model card.

python scripts/loss_curves.py runs vdjax/weights/storybook/loss_curves.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# What each stage's curve shows: a metric of its log, and how to read it.
CURVES = {
    "autoencoder": ("psnr", "PSNR, dB (higher is better)"),
    "clip": ("same_drawing", "nearest picture is the same drawing"),
    "backbone": ("mse", "squared error of v"),
    "motion": ("mse", "squared error of v"),
    "prior": ("loss", "squared error of the embedding"),
    "guided": ("mse", "squared error of v"),
}


def main(runs: Path, target: Path) -> None:
    figure, axes = plt.subplots(2, 3, figsize=(9, 4.6), layout="constrained")
    for axis, (stage, (metric, label)) in zip(axes.flat, CURVES.items(), strict=True):
        path = runs / stage / "log.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        axis.plot([row["step"] for row in rows], [row[metric] for row in rows], linewidth=1)
        axis.set_title(stage, fontsize=10)
        axis.set_ylabel(label, fontsize=7)
        axis.tick_params(labelsize=7)
    figure.savefig(target, dpi=130)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
