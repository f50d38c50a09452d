"""Draw the loss curves of the stages in a runs folder into one picture, for the model card.

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
    "pictures": ("mse", "squared error of the pictures"),
    "guided": ("mse", "weighted squared error of v"),
}
COLUMNS = 3


def main(runs: Path, target: Path) -> None:
    logs = {stage: runs / stage / "log.jsonl" for stage in CURVES}
    logs = {stage: path for stage, path in logs.items() if path.exists()}
    rows = -(-len(logs) // COLUMNS)
    figure, axes = plt.subplots(
        rows, COLUMNS, figsize=(9, 2.3 * rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(logs) :]:
        axis.set_visible(False)
    for axis, (stage, path) in zip(axes.flat, logs.items(), strict=False):
        metric, label = CURVES[stage]
        found = [json.loads(line) for line in path.read_text().splitlines()]
        steps, values = [row["step"] for row in found], [row[metric] for row in found]
        axis.plot(steps, values, linewidth=0.5, alpha=0.4, color="C0")
        window = max(len(values) // 40, 1)
        mean = [sum(values[i : i + window]) / window for i in range(len(values) - window + 1)]
        axis.plot(steps[window - 1 :], mean, linewidth=1.5, color="C0")
        axis.set_title(stage, fontsize=10)
        axis.set_ylabel(label, fontsize=7)
        axis.tick_params(labelsize=7)
    figure.savefig(target, dpi=130)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
