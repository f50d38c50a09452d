"""09: a published checkpoint, the converter, and the folder that is loaded."""

from __future__ import annotations

from pictures.drawing import BLUE, GREEN, GREY, ORANGE, PINK, arrow, block, page, save


def draw() -> None:
    figure, axis = page(10.4, 3.9)
    axis.text(0.15, 0.3, "published", fontsize=12, fontweight="bold")
    axis.text(4.1, 0.3, "converter", fontsize=12, fontweight="bold")
    axis.text(7.35, 0.3, "loaded", fontsize=12, fontweight="bold")
    rows = (
        (
            "…resnets.1.conv1.weight\n(out, in, h, w)",
            "…resnets_1/conv1/kernel\n(h, w, in, out)",
            BLUE,
        ),
        ("…attn1.to_q.weight\n(out, in)", "…attn1/to_q/kernel\n(in, out)", ORANGE),
        ("…norm1.weight\n(channel)", "…norm1/scale\n(channel)", GREEN),
    )
    for row, (theirs, ours, colour) in enumerate(rows):
        y = 0.55 + 0.72 * row
        block(axis, 0.15, y, 2.9, 0.6, theirs, colour, 8.5)
        arrow(axis, (3.07, y + 0.3), (4.05, y + 0.3), colour)
        arrow(axis, (6.32, y + 0.3), (7.3, y + 0.3), colour)
        block(axis, 7.35, y, 2.9, 0.6, ours, colour, 8.5)
    words = (
        "one rule for each key\n\nrename · turn the axes\n\n"
        "nothing left over,\nnothing missing,\nor nothing is written"
    )
    block(axis, 4.1, 0.55, 2.2, 2.04, words, GREY, 9)
    block(axis, 7.35, 2.75, 2.9, 0.4, "manifest: sizes and checksums", GREY, 8.5)
    axis.text(0.15, 3.0, "what the weights do not say", fontsize=10, fontweight="bold")
    for column, word in enumerate(
        ("betas", "noise or velocity?", "epsilons", "width of heads", "whose they are")
    ):
        block(axis, 0.15 + 2.04 * column, 3.3, 1.94, 0.42, word, PINK, 9)
    save(figure, "09_real_weights.png")
