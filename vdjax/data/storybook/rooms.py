"""Painters of the two indoor backgrounds, whose depth is a floor in perspective.

The same rules hold as in `places.py`.
"""

import numpy as np

from vdjax.data.storybook.brush import (
    HEIGHT,
    WIDTH,
    Canvas,
    Number,
    checker,
    floor_lines,
    mix,
    pick,
    vary,
)


def window(canvas: Canvas, rng, x: Number, y: Number, width: Number, height: Number, frame) -> None:
    """A window on a sky, with a cross-bar and a sill."""
    top, low = pick(
        rng,
        (
            ((110, 180, 240), (210, 236, 252)),
            ((250, 170, 120), (255, 224, 170)),
            ((40, 50, 110), (90, 100, 170)),
        ),
    )
    canvas.pen.rectangle((x - 5, y - 5, x + width + 5, y + height + 5), fill=frame)
    for row in np.arange(0, height, 2):
        canvas.pen.rectangle((x, y + row, x + width, y + row + 2), fill=mix(top, low, row / height))
    for dx in (0.15, 0.4, 0.7):
        canvas.disc(
            x + width * dx,
            y + height + 2 - height * 0.1,
            width * 0.2,
            mix(low, (90, 160, 100), 0.7),
            0.6,
        )
    canvas.pen.rectangle((x - 5, y + height, x + width + 5, y + height + 5), fill=frame)
    canvas.pen.rectangle((x + width / 2 - 2, y, x + width / 2 + 2, y + height), fill=frame)
    canvas.pen.rectangle((x, y + height / 2 - 2, x + width, y + height / 2 + 2), fill=frame)
    canvas.pen.rectangle(
        (x - 9, y + height + 4, x + width + 9, y + height + 9), fill=mix(frame, (120, 100, 90), 0.2)
    )


def kitchen(canvas: Canvas, rng) -> None:
    floor = HEIGHT * rng.uniform(0.68, 0.76)
    wall = vary(
        rng,
        pick(
            rng,
            ((252, 236, 200), (206, 234, 228), (250, 218, 206), (222, 230, 246), (236, 240, 210)),
        ),
    )
    canvas.gradient(0, floor, mix(wall, (255, 255, 255), 0.25), wall)
    counter = floor - rng.uniform(62, 74)
    tile, line = mix(wall, (255, 255, 255), 0.55), mix(wall, (110, 110, 120), 0.25)
    canvas.pen.rectangle((0, counter - 44, WIDTH, counter), fill=tile)
    for x in np.arange(rng.uniform(-14, 0), WIDTH, 15):
        canvas.pen.line([(x, counter - 44), (x, counter)], fill=line, width=1)
    for y in np.arange(counter - 44, counter, 15):
        canvas.pen.line([(0, y), (WIDTH, y)], fill=line, width=1)
    wood = vary(
        rng,
        pick(
            rng, ((196, 140, 88), (96, 140, 160), (240, 236, 226), (150, 180, 130), (208, 98, 84))
        ),
    )
    at = rng.uniform(20, WIDTH - 110)
    window(canvas, rng, at, 22, 74, counter - 92, (250, 250, 246))
    for x in np.arange(0.0, WIDTH, 46):
        if x + 44 < at - 12 or x > at + 90:
            canvas.pen.rectangle((x, 0, x + 44, 58), fill=wood)
            canvas.pen.rectangle(
                (x + 5, 5, x + 39, 52), outline=mix(wood, (60, 40, 30), 0.3), width=2
            )
            canvas.pen.rectangle((x + 34, 36, x + 37, 46), fill=(230, 226, 214))
            canvas.pen.rectangle((x, 58, x + 44, 61), fill=mix(wood, (40, 30, 20), 0.4))
    stove = rng.uniform(10, WIDTH - 70)
    for x in np.arange(-20 + rng.uniform(0, 20), WIDTH, 48):
        canvas.pen.rectangle(
            (x, counter + 9, x + 47, floor - 4), fill=mix(wood, (40, 30, 20), 0.08)
        )
        canvas.pen.rectangle(
            (x + 5, counter + 16, x + 42, floor - 11), outline=mix(wood, (60, 40, 30), 0.3), width=2
        )
        canvas.pen.rectangle((x + 18, counter + 19, x + 29, counter + 22), fill=(232, 228, 216))
    top = vary(rng, pick(rng, ((120, 96, 84), (222, 222, 226), (70, 74, 84))))
    canvas.pen.rectangle((0, counter, WIDTH, counter + 9), fill=top)
    canvas.pen.rectangle((0, counter + 8, WIDTH, counter + 11), fill=mix(top, (0, 0, 0), 0.35))
    canvas.pen.rectangle((stove, counter - 2, stove + 60, floor - 2), fill=(214, 218, 224))
    canvas.pen.rectangle((stove, counter - 2, stove + 60, counter + 4), fill=(60, 62, 70))
    canvas.pen.rectangle((stove + 8, counter + 22, stove + 52, floor - 14), fill=(52, 56, 66))
    canvas.pen.rectangle((stove + 12, counter + 26, stove + 48, counter + 34), fill=(98, 104, 118))
    for k in range(4):
        canvas.disc(stove + 12 + 12 * k, counter + 12, 3, (80, 84, 94))
    pot = vary(rng, pick(rng, ((206, 70, 64), (80, 130, 180), (240, 190, 70), (120, 120, 130))))
    canvas.pen.rectangle((stove + 14, counter - 20, stove + 44, counter - 2), fill=pot)
    canvas.pen.rectangle(
        (stove + 11, counter - 23, stove + 47, counter - 19), fill=mix(pot, (255, 255, 255), 0.3)
    )
    canvas.pen.rectangle(
        (stove + 6, counter - 15, stove + 52, counter - 12), fill=mix(pot, (0, 0, 0), 0.3)
    )
    for _ in range(int(rng.integers(1, 4))):
        x, jar = (
            rng.uniform(0, WIDTH - 14),
            vary(rng, pick(rng, ((240, 230, 210), (180, 210, 200), (230, 150, 110)))),
        )
        canvas.pen.rectangle((x, counter - 18, x + 12, counter), fill=jar)
        canvas.pen.rectangle(
            (x - 1, counter - 22, x + 13, counter - 17), fill=mix(jar, (90, 60, 40), 0.5)
        )
    light = vary(rng, pick(rng, ((250, 246, 236), (232, 238, 244), (246, 226, 206))))
    dark = vary(rng, pick(rng, ((176, 92, 76), (90, 110, 130), (206, 176, 130), (110, 150, 140))))
    canvas.pen.rectangle((0, floor, WIDTH, HEIGHT), fill=light)
    checker(
        canvas, floor, (WIDTH * rng.uniform(0.3, 0.7), floor - rng.uniform(46, 80)), light, dark
    )
    canvas.pen.rectangle((0, floor - 4, WIDTH, floor), fill=mix(wood, (40, 30, 20), 0.45))
    canvas.pen.rectangle((0, floor, WIDTH, floor + 4), fill=(0, 0, 0, 50))


def bedroom(canvas: Canvas, rng) -> None:
    floor = HEIGHT * rng.uniform(0.64, 0.74)
    wall = vary(
        rng,
        pick(
            rng,
            ((186, 206, 240), (240, 204, 216), (204, 196, 236), (190, 226, 206), (250, 226, 186)),
        ),
    )
    canvas.gradient(0, floor, mix(wall, (255, 255, 255), 0.2), wall)
    stripe = mix(wall, (255, 255, 255), 0.35)
    if rng.random() < 0.5:
        for x in np.arange(rng.uniform(-24, 0), WIDTH, 26):
            canvas.pen.rectangle((x, 0, x + 12, floor), fill=stripe)
    else:
        for x in np.arange(4.0, WIDTH, 26):
            for k, y in enumerate(np.arange(10, floor - 10, 24)):
                canvas.disc(x + (k % 2) * 13, y, 2.6, stripe)
    left_bed = rng.random() < 0.5
    at = rng.uniform(180, 220) if left_bed else rng.uniform(34, 70)
    window(canvas, rng, at, rng.uniform(26, 40), 66, 72, (252, 250, 244))
    curtain = vary(
        rng,
        pick(
            rng, ((226, 96, 96), (96, 140, 210), (240, 180, 90), (140, 110, 190), (110, 170, 130))
        ),
    )
    for x, side in ((at - 22, 1), (at + 88, -1)):
        canvas.pen.polygon(
            [(x - 9, 14), (x + 14, 14), (x + 4 + side * 3, 76), (x + 8, 122), (x - 9, 122)],
            fill=curtain,
        )
        for dx in (-4, 2):
            canvas.pen.line(
                [(x + dx, 16), (x + dx, 121)], fill=mix(curtain, (60, 20, 40), 0.25), width=2
            )
    canvas.pen.rectangle((at - 38, 10, at + 108, 15), fill=(150, 110, 76))
    plank = vary(rng, pick(rng, ((196, 146, 96), (166, 116, 78), (222, 186, 140))), 0.015)
    canvas.gradient(
        floor, HEIGHT, mix(plank, (60, 30, 20), 0.22), plank, mix(plank, (255, 230, 190), 0.15)
    )
    eye = (WIDTH * rng.uniform(0.35, 0.65), floor - 62)
    floor_lines(canvas, floor, eye, (*mix(plank, (60, 30, 20), 0.5), 150), 11)
    canvas.grain(rng, floor, HEIGHT, 6, (3, 6))
    canvas.pen.rectangle((0, floor - 7, WIDTH, floor), fill=(250, 246, 238))
    canvas.pen.rectangle((0, floor, WIDTH, floor + 3), fill=(0, 0, 0, 60))
    rug = vary(
        rng,
        pick(
            rng, ((214, 96, 96), (98, 150, 190), (236, 190, 110), (150, 120, 190), (240, 236, 226))
        ),
    )
    x, y = WIDTH * rng.uniform(0.35, 0.65), floor + (HEIGHT - floor) * 0.62
    for share, tint in (
        (1.0, mix(rug, (60, 30, 40), 0.2)),
        (0.9, rug),
        (0.62, mix(rug, (255, 255, 255), 0.4)),
        (0.52, rug),
    ):
        canvas.disc(x, y, 92 * share, tint, 0.26)
    cover = vary(
        rng,
        pick(
            rng, ((88, 132, 200), (226, 120, 130), (120, 176, 140), (244, 196, 96), (150, 126, 196))
        ),
    )
    wood = vary(rng, (150, 100, 66))
    flip = (lambda v: v) if left_bed else (lambda v: WIDTH - v)

    def box(x0, y0, x1, y1, colour):
        canvas.pen.rectangle(
            (min(flip(x0), flip(x1)), y0, max(flip(x0), flip(x1)), y1), fill=colour
        )

    bed = floor + rng.uniform(4, 14)
    box(-2, bed - 74, 10, bed + 12, wood)
    box(0, bed - 26, 128, bed + 6, mix(wood, (40, 20, 10), 0.2))
    box(8, bed - 42, 126, bed - 6, cover)
    box(8, bed - 42, 126, bed - 37, mix(cover, (255, 255, 255), 0.35))
    for dx in (52, 74, 96, 118):
        canvas.pen.line(
            [(flip(dx), bed - 36), (flip(dx - 5), bed - 7)],
            fill=mix(cover, (30, 20, 60), 0.2),
            width=2,
        )
    canvas.disc(flip(28), bed - 46, 19, (252, 250, 246), 0.52)
    canvas.disc(flip(30), bed - 44, 14, (236, 232, 232), 0.45)
    box(120, bed - 34, 129, bed + 14, wood)
    stand = 152
    box(stand - 15, bed - 30, stand + 15, bed + 4, mix(wood, (255, 220, 170), 0.15))
    box(stand - 10, bed - 24, stand + 10, bed - 14, mix(wood, (40, 20, 10), 0.15))
    box(stand - 2, bed - 46, stand + 2, bed - 30, (120, 100, 90))
    canvas.glow(flip(stand), bed - 54, 34, (255, 240, 180), 16)
    canvas.pen.polygon(
        [
            (flip(stand - 7), bed - 62),
            (flip(stand + 7), bed - 62),
            (flip(stand + 13), bed - 45),
            (flip(stand - 13), bed - 45),
        ],
        fill=vary(rng, (255, 226, 150)),
    )
    x = flip(rng.uniform(40, 90))
    canvas.pen.rectangle((x - 20, 28, x + 20, 62), fill=wood)
    canvas.pen.rectangle((x - 16, 32, x + 16, 58), fill=vary(rng, (150, 200, 220), 0.3))
    canvas.pen.polygon(
        [(x - 16, 58), (x - 4, 42), (x + 4, 50), (x + 9, 45), (x + 16, 58)],
        fill=vary(rng, (90, 150, 110), 0.2),
    )
