"""Painters of the ten outdoor backgrounds. Each takes a canvas and a random generator and paints
one variant.

Everything that tells one variant from the next (time of day, palette, height of the horizon,
where the props stand) comes from the generator. Props are never things of the vocabulary: a
background with a house in it would make "no house here" impossible to say.
"""

import numpy as np
from PIL import Image

from vdjax.data.storybook.brush import (
    HEIGHT,
    WIDTH,
    Canvas,
    Number,
    clouds,
    mix,
    pick,
    pine,
    ridge,
    vary,
)

#: (top of the sky, its lower edge, clouds, how warm the light is)
DAYS = (
    ((72, 150, 232), (186, 224, 250), (255, 255, 255), 0.0),
    ((52, 120, 214), (150, 206, 246), (250, 252, 255), 0.0),
    ((108, 178, 236), (226, 240, 246), (255, 255, 255), 0.05),
    ((92, 110, 190), (255, 190, 140), (255, 222, 200), 0.3),
    ((236, 130, 110), (255, 214, 150), (255, 226, 196), 0.35),
    ((140, 168, 196), (214, 224, 230), (240, 244, 248), 0.0),
)


def sky(canvas: Canvas, rng, horizon: Number, cloud_count=(1, 5)) -> tuple:
    """Paint a sky of a random time of day; return its colour at the horizon and its warmth."""
    top, low, puff, warmth = pick(rng, DAYS)
    top, low = vary(rng, top, 0.015), vary(rng, low, 0.015, 0.1, 0.03)
    canvas.gradient(0, horizon + 2, top, low)
    canvas.pen.rectangle((0, horizon + 2, WIDTH, HEIGHT), fill=low)  # ridges dip below the horizon
    if rng.random() < 0.6:
        x, y = (
            rng.uniform(30, WIDTH - 30),
            horizon * rng.uniform(0.15, 0.8 if warmth > 0.2 else 0.4),
        )
        sun = mix((255, 244, 190), (255, 180, 90), warmth)
        canvas.glow(x, y, 52, sun)
        canvas.disc(x, y, 15, sun)
    clouds(canvas, rng, horizon, puff, int(rng.integers(*cloud_count)))
    return low, warmth


def lit(colour, warmth: Number):
    """`colour` under evening light."""
    return mix(colour, (235, 120, 70), warmth * 0.45)


def beach(canvas: Canvas, rng) -> None:
    horizon = HEIGHT * rng.uniform(0.3, 0.46)
    low, warmth = sky(canvas, rng, horizon)
    sea = lit(vary(rng, (28, 150, 196), 0.03), warmth)
    shore = HEIGHT * rng.uniform(0.6, 0.74)
    if rng.random() < 0.6:
        island = ridge(rng, horizon, 0, 1)
        centre, width = rng.uniform(0.1, 0.9), rng.uniform(0.12, 0.22)
        at = np.linspace(0, 1, len(island))
        canvas.below(
            island - 20 * np.exp(-(((at - centre) / width) ** 2) * 2) + 3,
            mix(lit((70, 120, 110), warmth), low, 0.4),
        )
    canvas.gradient(
        horizon, shore + 24, mix(sea, (10, 70, 140), 0.35), sea, mix(sea, (190, 240, 230), 0.55)
    )
    for _ in range(26):
        y = horizon + 3 + (shore - horizon) * rng.random() ** 1.5
        reach = 6 + 26 * (y - horizon) / (shore - horizon)
        x = rng.uniform(0, WIDTH)
        canvas.pen.line([(x, y), (x + reach, y)], fill=(255, 255, 255, 90), width=2)
    sand = lit(vary(rng, (240, 212, 150), 0.015), warmth)
    tilt = np.linspace(-1, 1, 81) * rng.uniform(-16, 16)
    line = ridge(rng, shore, 7, rng.uniform(0.7, 1.6)) + tilt
    canvas.below(line - 5, (255, 255, 255, 150))
    canvas.below(line, (255, 255, 255, 235))
    canvas.below(line + 5, mix(sand, (150, 110, 70), 0.3))
    canvas.below(line + 11, sand)
    canvas.below(ridge(rng, HEIGHT * 0.9, 9, 1.2), mix(sand, (255, 240, 205), 0.4))
    canvas.grain(rng, shore + 20, HEIGHT, 9)
    for _ in range(int(rng.integers(2, 7))):
        x, y = rng.uniform(0, WIDTH), rng.uniform(shore + 34, HEIGHT - 6)
        tint = pick(rng, ((250, 150, 120), (255, 245, 235), (190, 150, 120), (230, 170, 190)))
        canvas.disc(x, y, rng.uniform(3, 6), (*tint, 255), 0.6)
    if rng.random() < 0.5:
        x = pick(rng, (rng.uniform(0, 50), rng.uniform(WIDTH - 50, WIDTH)))
        rock = lit((128, 118, 112), warmth)
        for dx, radius in ((-16, 16), (10, 22), (26, 13)):
            canvas.disc(x + dx, shore + 8, radius, rock, 0.7)
            canvas.disc(x + dx - 3, shore + 3, radius * 0.6, mix(rock, (255, 255, 255), 0.2), 0.5)


def forest(canvas: Canvas, rng) -> None:
    mist = vary(
        rng,
        pick(
            rng,
            ((196, 226, 190), (214, 228, 200), (170, 212, 206), (240, 224, 176), (156, 190, 180)),
        ),
    )
    leaf = vary(rng, pick(rng, ((40, 120, 62), (30, 104, 74), (64, 126, 48), (48, 96, 60))), 0.03)
    ground = HEIGHT * rng.uniform(0.62, 0.74)
    canvas.gradient(0, ground + 10, mix(mist, leaf, 0.25), mist, mix(mist, (255, 255, 235), 0.3))
    for layer, share in enumerate((0.72, 0.45, 0.18)):
        foot = ground - 12 + layer * 8
        colour = mix(leaf, mist, share)
        x = rng.uniform(-20, 0)
        while x < WIDTH + 20:
            pine(canvas, x, foot + rng.uniform(-3, 3), rng.uniform(84, 128) + layer * 26, colour)
            x += rng.uniform(16, 27) + layer * rng.uniform(6, 16)
        canvas.below(ridge(rng, foot - 2, 3, 2), mix(colour, leaf, 0.2))
    for _ in range(int(rng.integers(0, 4))):
        x = rng.uniform(20, WIDTH)
        canvas.pen.polygon(
            [(x, 0), (x + 26, 0), (x - 50, ground), (x - 98, ground)], fill=(255, 250, 200, 30)
        )
    soil = mix(leaf, (122, 96, 50), rng.uniform(0.25, 0.6))
    canvas.below(ridge(rng, ground, 5, 1.3), soil)
    canvas.below(ridge(rng, ground + 24, 6, 1.1), mix(soil, leaf, 0.4))
    canvas.below(ridge(rng, HEIGHT * 0.92, 7, 1.4), mix(soil, (20, 50, 24), 0.45))
    canvas.grain(rng, ground, HEIGHT, 11)
    for _ in range(int(rng.integers(10, 20))):
        x, y = rng.uniform(0, WIDTH), rng.uniform(ground + 16, HEIGHT)
        blade = mix(leaf, (170, 220, 90), rng.uniform(0.1, 0.5))
        for lean in (-7, -3, 2, 7):
            canvas.pen.line([(x, y), (x + lean, y - rng.uniform(6, 13))], fill=blade, width=2)
    for x in (rng.uniform(-6, 18), rng.uniform(WIDTH - 18, WIDTH + 6)):
        if rng.random() < 0.65:
            width, bark = rng.uniform(12, 19), vary(rng, (92, 64, 42))
            canvas.pen.polygon(
                [
                    (x - width * 0.7, 0),
                    (x + width * 0.7, 0),
                    (x + width, HEIGHT),
                    (x - width, HEIGHT),
                ],
                fill=bark,
            )
            canvas.pen.polygon(
                [
                    (x - width * 0.7, 0),
                    (x - width * 0.2, 0),
                    (x - width * 0.4, HEIGHT),
                    (x - width, HEIGHT),
                ],
                fill=mix(bark, (220, 190, 140), 0.2),
            )
            for _ in range(6):
                y = rng.uniform(0, HEIGHT)
                canvas.pen.line(
                    [(x, y), (x + rng.uniform(-3, 3), y + 18)],
                    fill=mix(bark, (30, 20, 14), 0.5),
                    width=2,
                )


def city(canvas: Canvas, rng) -> None:
    horizon = HEIGHT * rng.uniform(0.66, 0.76)
    low, warmth = sky(canvas, rng, horizon, (0, 3))
    for layer, share in enumerate((0.6, 0.25)):
        x = rng.uniform(-30, 0)
        while x < WIDTH:
            width = rng.uniform(24, 48) + layer * 12
            height = rng.uniform(70, 150) if layer == 0 else rng.uniform(52, 116)
            wall = vary(
                rng,
                pick(
                    rng,
                    (
                        (118, 132, 160),
                        (176, 120, 104),
                        (196, 170, 132),
                        (104, 150, 160),
                        (150, 130, 168),
                        (206, 190, 176),
                    ),
                ),
            )
            wall = mix(lit(wall, warmth), low, share)
            top = horizon - height
            canvas.pen.rectangle((x, top, x + width, horizon + 2), fill=wall)
            canvas.pen.rectangle(
                (x + width * 0.8, top, x + width, horizon + 2), fill=mix(wall, (30, 36, 60), 0.22)
            )
            canvas.pen.rectangle(
                (x - 1, top - 3, x + width + 1, top + 2), fill=mix(wall, (255, 255, 255), 0.25)
            )
            if rng.random() < 0.25:
                canvas.pen.line(
                    [(x + width / 2, top - 18), (x + width / 2, top)],
                    fill=mix(wall, (40, 40, 60), 0.4),
                    width=2,
                )
            glass = mix(
                pick(rng, ((255, 238, 170), (60, 84, 120), (210, 236, 250))), low, share * 0.6
            )
            step = rng.uniform(11, 15)
            for wy in np.arange(top + 8, horizon - 10, step):
                for wx in np.arange(x + 5, x + width - 7, 10):
                    canvas.pen.rectangle((wx, wy, wx + 5, wy + step * 0.5), fill=glass)
            x += width + rng.uniform(0, 10)
    pavement = lit(vary(rng, (186, 182, 176), 0.02, 0.3), warmth)
    canvas.gradient(horizon, horizon + 16, mix(pavement, (90, 90, 96), 0.25), pavement)
    kerb = horizon + 16
    canvas.pen.rectangle((0, kerb, WIDTH, kerb + 4), fill=mix(pavement, (255, 255, 255), 0.4))
    street = vary(rng, (92, 94, 104), 0.02, 0.3, 0.15)
    canvas.gradient(kerb + 4, HEIGHT, mix(street, (40, 40, 46), 0.2), street)
    canvas.grain(rng, kerb + 4, HEIGHT, 6)
    middle, offset = (kerb + HEIGHT) / 2 + 6, rng.uniform(0, 44)
    for x in np.arange(-44, WIDTH, 44):
        canvas.pen.polygon(
            [
                (x + offset, middle),
                (x + offset + 22, middle),
                (x + offset + 20, middle + 4),
                (x + offset - 3, middle + 4),
            ],
            fill=(250, 240, 200),
        )
    for x in np.arange(rng.uniform(-10, 50), WIDTH, rng.uniform(90, 140)):
        post = (58, 62, 74)
        canvas.pen.rectangle((x - 1, kerb - 62, x + 2, kerb), fill=post)
        canvas.pen.line([(x, kerb - 62), (x + 13, kerb - 62)], fill=post, width=3)
        canvas.disc(x + 14, kerb - 59, 4, (255, 244, 190))


def desert(canvas: Canvas, rng) -> None:
    horizon = HEIGHT * rng.uniform(0.42, 0.58)
    low, warmth = sky(canvas, rng, horizon, (0, 2))
    sand = lit(
        vary(rng, pick(rng, ((232, 178, 104), (222, 150, 86), (240, 200, 130))), 0.015), warmth
    )
    if rng.random() < 0.75:
        rock = lit(vary(rng, (190, 96, 62)), warmth)
        for _ in range(int(rng.integers(1, 4))):
            x, width, height = rng.uniform(0, WIDTH), rng.uniform(30, 70), rng.uniform(22, 56)
            shape = [
                (x - width * 0.62, horizon + 4),
                (x - width * 0.5, horizon - height),
                (x + width * 0.46, horizon - height * 0.96),
                (x + width * 0.62, horizon + 4),
            ]
            canvas.pen.polygon(shape, fill=mix(rock, low, 0.3))
            canvas.pen.polygon(
                [
                    (x + width * 0.1, horizon - height * 0.97),
                    *shape[2:],
                    (x + width * 0.2, horizon + 4),
                ],
                fill=mix(mix(rock, (80, 30, 40), 0.35), low, 0.3),
            )
            for share in (0.3, 0.55):
                y = horizon - height * share
                canvas.pen.line(
                    [(x - width * 0.54, y), (x + width * 0.54, y)],
                    fill=mix(rock, (255, 200, 150), 0.3),
                    width=2,
                )
    canvas.below(ridge(rng, horizon + 2, 5, 1.2), mix(sand, low, 0.3))
    for share in (0.2, 0.5, 0.85):
        base = horizon + (HEIGHT - horizon) * share
        line = ridge(rng, base, 16, rng.uniform(0.7, 1.3))
        colour = mix(mix(sand, low, 0.22), mix(sand, (150, 80, 50), 0.12), share)
        canvas.below(line, colour)
        canvas.below(
            line + 7 + 9 * np.sin(np.linspace(0, 6, 81) + rng.uniform(0, 6)) ** 2 * 2,
            mix(colour, (120, 62, 50), 0.2),
        )
    canvas.grain(rng, horizon + 8, HEIGHT, 8, (8, 2))
    for _ in range(int(rng.integers(1, 5))):
        depth = rng.uniform(0.1, 0.75)
        x, foot, size = (
            rng.uniform(8, WIDTH - 8),
            horizon + (HEIGHT - horizon) * depth,
            16 + 44 * depth,
        )
        green = vary(rng, (62, 130, 78))
        thick = max(3, round(size * 0.17))
        canvas.pen.line([(x, foot), (x, foot - size)], fill=green, width=thick)
        canvas.disc(x, foot - size, thick / 2, green)
        for side, at in ((-1, 0.45), (1, 0.6)):
            elbow, y = x + side * size * 0.27, foot - size * at
            canvas.pen.line([(x, y), (elbow, y)], fill=green, width=max(2, thick - 2))
            canvas.pen.line(
                [(elbow, y + 1), (elbow, y - size * 0.28)], fill=green, width=max(2, thick - 2)
            )
        canvas.disc(x + size * 0.2, foot, size * 0.3, (90, 40, 40, 60), 0.2)


def snowy_mountains(canvas: Canvas, rng) -> None:
    horizon = HEIGHT * rng.uniform(0.52, 0.64)
    low, warmth = sky(canvas, rng, horizon, (0, 3))
    for layer, share in enumerate((0.55, 0.15)):
        rock = mix(lit(vary(rng, (96, 112, 150)), warmth), low, share)
        snow = mix(lit((250, 252, 255), warmth * 0.6), low, share * 0.6)
        x = rng.uniform(-60, -20)
        while x < WIDTH + 30:
            width, height = rng.uniform(90, 160), rng.uniform(80, 140) - 26 * layer
            peak, foot = x + width * rng.uniform(0.4, 0.6), horizon + 12
            top = foot - height
            canvas.pen.polygon([(x, foot), (peak, top), (x + width, foot)], fill=rock)
            canvas.pen.polygon(
                [(peak, top), (x + width, foot), (peak + width * 0.06, foot)],
                fill=mix(rock, (40, 50, 90), 0.28),
            )
            line = top + height * rng.uniform(0.34, 0.5)
            share_down = (line - top) / height
            left, right = peak - (peak - x) * share_down, peak + (x + width - peak) * share_down
            teeth = [
                (left + (right - left) * t, line + (7 if k % 2 else -6))
                for k, t in enumerate(np.linspace(0.08, 0.92, 7))
            ]
            canvas.pen.polygon([(peak, top), (left, line), *teeth, (right, line)], fill=snow)
            canvas.pen.polygon(
                [(peak, top), (peak + 3, line + 2), *teeth[4:], (right, line)],
                fill=mix(snow, (130, 150, 200), 0.28),
            )
            x += width * rng.uniform(0.45, 0.75)
    white = lit((240, 246, 253), warmth * 0.5)
    for share in (0.0, 0.3, 0.7):
        base = horizon + 10 + (HEIGHT - horizon) * share
        canvas.below(
            ridge(rng, base, 8, rng.uniform(0.8, 1.6)),
            mix(mix(white, (150, 176, 220), 0.3), white, share),
        )
        for _ in range(int(rng.integers(1, 6))):
            if share < 0.5:
                pine(
                    canvas,
                    rng.uniform(0, WIDTH),
                    base + rng.uniform(2, 14),
                    rng.uniform(26, 44) * (1 + share),
                    vary(rng, (46, 92, 92)),
                    0.8,
                )
    canvas.grain(rng, horizon + 12, HEIGHT, 6, (10, 4))
    if rng.random() < 0.35:
        for _ in range(70):
            canvas.disc(
                rng.uniform(0, WIDTH),
                rng.uniform(0, HEIGHT),
                rng.uniform(0.8, 2.2),
                (255, 255, 255, 210),
            )


def night(canvas: Canvas, rng) -> None:
    horizon = HEIGHT * rng.uniform(0.62, 0.76)
    top = vary(rng, pick(rng, ((10, 14, 48), (20, 12, 56), (6, 24, 52))), 0.02)
    glow = vary(rng, pick(rng, ((48, 60, 130), (90, 56, 130), (30, 86, 120))), 0.02)
    canvas.gradient(0, horizon + 16, top, mix(top, glow, 0.5), glow)
    for _ in range(int(rng.integers(70, 130))):
        x, y = rng.uniform(0, WIDTH), horizon * rng.random() ** 1.2
        canvas.disc(x, y, rng.uniform(0.7, 1.9), (255, 255, 235, int(rng.integers(130, 256))))
    for _ in range(int(rng.integers(3, 8))):
        x, y, arm = rng.uniform(0, WIDTH), rng.uniform(0, horizon * 0.8), rng.uniform(4, 7)
        canvas.pen.polygon(
            [(x - arm, y), (x, y - 1.3), (x + arm, y), (x, y + 1.3)], fill=(255, 255, 240)
        )
        canvas.pen.polygon(
            [(x, y - arm), (x - 1.3, y), (x, y + arm), (x + 1.3, y)], fill=(255, 255, 240)
        )
    if rng.random() < 0.8:
        x, y, radius = (
            rng.uniform(40, WIDTH - 40),
            horizon * rng.uniform(0.15, 0.45),
            rng.uniform(15, 25),
        )
        canvas.glow(x, y, radius * 2.6, (240, 240, 210), 14)
        canvas.disc(x, y, radius, (250, 246, 214))
        if rng.random() < 0.5:
            canvas.disc(x + radius * 0.45, y - radius * 0.15, radius * 0.88, mix(top, glow, 0.4))
        else:
            for dx, dy, r in ((-0.3, -0.2, 0.22), (0.3, 0.25, 0.28), (0.1, -0.5, 0.14)):
                canvas.disc(x + dx * radius, y + dy * radius, r * radius, (226, 220, 184))
    land = mix(vary(rng, (22, 52, 60)), top, 0.2)
    for share, lift in ((0.0, 0.35), (0.35, 0.15), (0.75, 0.0)):
        base = horizon + (HEIGHT - horizon) * share
        colour = mix(mix(land, (8, 12, 30), share * 0.7), glow, lift)
        if share == 0.35:
            x = rng.uniform(0, 30)
            while x < WIDTH:
                pine(canvas, x, base + 6, rng.uniform(20, 44), mix(colour, (5, 10, 25), 0.25))
                x += rng.uniform(22, 70)
        canvas.below(ridge(rng, base, 10, rng.uniform(0.8, 1.8)), colour)
    canvas.grain(rng, horizon + 4, HEIGHT, 5)
    for _ in range(int(rng.integers(0, 9))):
        x, y = rng.uniform(0, WIDTH), rng.uniform(horizon, HEIGHT - 8)
        canvas.glow(x, y, 6, (230, 255, 130), 30)
        canvas.disc(x, y, 1.4, (240, 255, 170))


def underwater(canvas: Canvas, rng) -> None:
    top = vary(rng, pick(rng, ((70, 190, 220), (60, 170, 230), (70, 205, 200))), 0.02)
    deep = vary(rng, pick(rng, ((8, 60, 122), (10, 80, 120), (20, 46, 110))), 0.02)
    bed = HEIGHT * rng.uniform(0.74, 0.86)
    canvas.gradient(0, HEIGHT, top, mix(top, deep, 0.55), deep)
    for _ in range(int(rng.integers(3, 7))):
        x, width, lean = rng.uniform(0, WIDTH), rng.uniform(10, 34), rng.uniform(-60, 20)
        canvas.pen.polygon(
            [(x, 0), (x + width, 0), (x + width * 2.2 + lean, HEIGHT), (x - width + lean, HEIGHT)],
            fill=(230, 255, 255, 26),
        )
    canvas.below(ridge(rng, bed - 26, 14, 1.5), mix(deep, top, 0.25))
    canvas.below(ridge(rng, bed - 8, 9, 1.2), mix(deep, (170, 160, 130), 0.35))
    sand = mix(vary(rng, (226, 206, 160)), deep, 0.25)
    for _ in range(int(rng.integers(3, 8))):
        x, tall, green = rng.uniform(0, WIDTH), rng.uniform(36, 100), vary(rng, (36, 140, 92), 0.06)
        foot, phase = bed + rng.uniform(-4, 12), rng.uniform(0, 6)
        for stem in range(3):
            points = [
                (
                    x + stem * 8 + 6 * np.sin(phase + stem + t * 6) * t,
                    foot - tall * t * (1 - 0.17 * stem),
                )
                for t in np.linspace(0, 1, 9)
            ]
            canvas.pen.line(points, fill=mix(green, deep, 0.15 * stem), width=5, joint="curve")
    canvas.below(ridge(rng, bed, 6, 1.4), sand)
    canvas.below(ridge(rng, bed + 20, 5, 1.8), mix(sand, (255, 245, 215), 0.3))
    canvas.grain(rng, bed, HEIGHT, 9, (8, 2))
    for _ in range(int(rng.integers(2, 7))):
        x, foot, size = rng.uniform(0, WIDTH), bed + rng.uniform(4, 26), rng.uniform(12, 26)
        tint = vary(
            rng,
            pick(
                rng,
                (
                    (250, 120, 120),
                    (255, 160, 90),
                    (210, 110, 200),
                    (250, 210, 100),
                    (240, 100, 150),
                ),
            ),
        )
        kind = rng.integers(3)
        if kind == 0:
            for angle in np.linspace(-1.0, 1.0, 5):
                tip = (x + np.sin(angle) * size, foot - np.cos(angle) * size * 1.5)
                canvas.pen.line([(x, foot), tip], fill=tint, width=5)
                canvas.disc(*tip, 3.6, mix(tint, (255, 255, 255), 0.3))
        elif kind == 1:
            canvas.disc(x, foot - size * 0.4, size * 0.8, mix(tint, deep, 0.1), 0.8)
            for angle in np.linspace(0.3, 2.8, 7):
                canvas.disc(
                    x + np.cos(angle) * size * 0.5,
                    foot - size * 0.4 - np.sin(angle) * size * 0.4,
                    3,
                    mix(tint, (255, 255, 255), 0.35),
                )
        else:
            canvas.disc(x, foot, size * 0.9, mix((112, 120, 130), deep, 0.2), 0.6)
            canvas.disc(x - 3, foot - 4, size * 0.5, mix((170, 180, 186), deep, 0.2), 0.5)
    for _ in range(int(rng.integers(8, 24))):
        x, y, radius = rng.uniform(0, WIDTH), rng.uniform(0, bed), rng.uniform(1.5, 4.5)
        canvas.disc(x, y, radius, (235, 255, 255, 90))
        canvas.disc(x - radius * 0.3, y - radius * 0.3, radius * 0.35, (255, 255, 255, 220))


def park(canvas: Canvas, rng) -> None:
    horizon = HEIGHT * rng.uniform(0.44, 0.56)
    low, warmth = sky(canvas, rng, horizon, (1, 5))
    grass = lit(vary(rng, pick(rng, ((118, 196, 72), (98, 184, 84), (146, 200, 70))), 0.02), warmth)
    canvas.below(ridge(rng, horizon - 14, 12, 1.0), mix(mix(grass, (40, 120, 110), 0.4), low, 0.45))
    hedge = mix(grass, (24, 96, 56), 0.55)
    x = rng.uniform(-20, 0)
    while x < WIDTH + 20:
        radius = rng.uniform(13, 26)
        canvas.disc(x, horizon, radius, mix(hedge, low, 0.12), 0.9)
        canvas.disc(
            x - radius * 0.25,
            horizon - radius * 0.3,
            radius * 0.5,
            mix(hedge, (220, 240, 150), 0.2),
            0.7,
        )
        x += radius * rng.uniform(1.0, 1.7)
    canvas.below(ridge(rng, horizon + 4, 3, 1), grass)
    canvas.below(ridge(rng, horizon + 44, 12, 0.9), mix(grass, (60, 150, 60), 0.25))
    canvas.below(ridge(rng, horizon + 92, 12, 1.1), mix(grass, (200, 230, 100), 0.25))
    canvas.grain(rng, horizon + 6, HEIGHT, 8, (4, 3))
    kind = rng.random()
    if kind < 0.45:
        path, start, end = lit((232, 210, 164), warmth), rng.uniform(60, 260), rng.uniform(0, WIDTH)
        t = np.linspace(0, 1, 24)
        centre = start + (end - start) * t + 26 * np.sin(t * 5 + rng.uniform(0, 6)) * t
        half, y = 3 + 36 * t**1.6, horizon + 6 + (HEIGHT - horizon - 6) * t**1.3
        canvas.pen.polygon(
            [
                *zip((centre - half).tolist(), y.tolist(), strict=True),
                *zip((centre + half)[::-1].tolist(), y[::-1].tolist(), strict=True),
            ],
            fill=path,
        )
    elif kind < 0.75:
        x, y = rng.uniform(60, WIDTH - 60), horizon + rng.uniform(28, 50)
        canvas.disc(x, y, rng.uniform(46, 70), mix(grass, (90, 110, 60), 0.5), 0.25)
        canvas.disc(x, y + 1, rng.uniform(40, 46), lit((110, 190, 224), warmth), 0.24)
    if rng.random() < 0.55:
        y = horizon + rng.uniform(8, 18)
        for x in np.arange(rng.uniform(-12, 0), WIDTH, 13):
            canvas.pen.polygon(
                [(x, y), (x, y - 15), (x + 3, y - 19), (x + 6, y - 15), (x + 6, y)],
                fill=(250, 246, 236),
            )
        for dy in (-13, -6):
            canvas.pen.rectangle((0, y + dy, WIDTH, y + dy + 2), fill=(238, 232, 220))
    for _ in range(int(rng.integers(14, 34))):
        depth = rng.random()
        x, y = rng.uniform(0, WIDTH), horizon + 18 + (HEIGHT - horizon - 20) * depth
        tint = pick(rng, ((255, 255, 255), (255, 220, 90), (250, 130, 150), (190, 140, 240)))
        canvas.disc(x, y, 1.3 + 2.1 * depth, tint)
    for _ in range(18):
        x, y = rng.uniform(0, WIDTH), rng.uniform(horizon + 30, HEIGHT)
        canvas.pen.line([(x, y), (x + 2, y - 7)], fill=mix(grass, (30, 110, 40), 0.6), width=2)


def road(canvas: Canvas, rng) -> None:
    horizon = HEIGHT * rng.uniform(0.38, 0.54)
    low, warmth = sky(canvas, rng, horizon)
    field = lit(
        vary(
            rng, pick(rng, ((150, 190, 90), (206, 186, 96), (120, 176, 96), (184, 150, 96))), 0.02
        ),
        warmth,
    )
    canvas.below(ridge(rng, horizon - 8, 9, 1.3), mix(mix(field, (70, 110, 120), 0.5), low, 0.4))
    canvas.gradient(horizon, HEIGHT, mix(field, low, 0.3), field, mix(field, (60, 70, 30), 0.18))
    eye = WIDTH * rng.uniform(0.3, 0.7)
    near = WIDTH * rng.uniform(0.4, 0.6)
    for x in np.linspace(-WIDTH * 2, WIDTH * 3, 27):
        canvas.pen.line(
            [(eye, horizon), (x, HEIGHT)], fill=(*mix(field, (70, 80, 30), 0.5), 70), width=3
        )
    canvas.grain(rng, horizon + 2, HEIGHT, 9)
    asphalt = vary(rng, (88, 90, 100), 0.02, 0.3, 0.12)
    half = rng.uniform(104, 150)
    for edge, tint in ((14, mix(field, (200, 180, 140), 0.6)), (4, (240, 240, 236)), (0, asphalt)):
        canvas.pen.polygon(
            [
                (eye - 3, horizon),
                (eye + 3, horizon),
                (near + half + edge, HEIGHT),
                (near - half - edge, HEIGHT),
            ],
            fill=tint,
        )
    paint = pick(rng, ((255, 255, 250), (255, 214, 90)))
    marks = np.linspace(0.0, 1, 9) + rng.uniform(0, 0.06)
    for start in marks:
        y0, y1 = (horizon + (HEIGHT - horizon) * min(1.0, t) ** 2.2 for t in (start, start + 0.06))
        corners = []
        for y, side in ((y0, -1), (y0, 1), (y1, 1), (y1, -1)):
            share = (y - horizon) / (HEIGHT - horizon)
            corners.append((eye + (near - eye) * share + side * 6 * share, y))
        canvas.pen.polygon(corners, fill=paint)
    if rng.random() < 0.65:
        side = pick(rng, (-1, 1))
        for t in (0.06, 0.12, 0.22, 0.38, 0.62):
            y, tall = horizon + (HEIGHT - horizon) * t, 16 + 190 * t
            x = eye + (near - eye) * t + side * (half * 1.35 * t + 8)
            canvas.pen.rectangle((x - 1 - 3 * t, y - tall, x + 1 + 3 * t, y), fill=(112, 84, 62))
            canvas.pen.rectangle(
                (x - 4 - 20 * t, y - tall * 0.9, x + 4 + 20 * t, y - tall * 0.9 + 1 + 4 * t),
                fill=(112, 84, 62),
            )
    else:
        for t in np.linspace(0.05, 0.95, 9) ** 1.6:
            for side in (-1, 1):
                x = eye + (near - eye) * t + side * (half + 26) * t
                y = horizon + (HEIGHT - horizon) * t
                canvas.pen.rectangle(
                    (x - 1 - 3 * t, y - 4 - 26 * t, x + 1 + 3 * t, y), fill=(246, 246, 242)
                )
                canvas.pen.rectangle(
                    (x - 1 - 3 * t, y - 4 - 22 * t, x + 1 + 3 * t, y - 4 - 16 * t),
                    fill=(226, 70, 60),
                )


def space(canvas: Canvas, rng) -> None:
    base = vary(rng, pick(rng, ((12, 8, 34), (6, 10, 30), (22, 8, 40))), 0.02)
    canvas.gradient(0, HEIGHT, base, mix(base, (0, 0, 8), 0.4))
    area = np.asarray(canvas.image).astype(np.float32)
    for tint in (vary(rng, (150, 60, 190), 0.12), vary(rng, (40, 110, 200), 0.08)):
        coarse = Image.fromarray(rng.random((5, 6)).astype(np.float32) ** 2)
        veil = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).clip(0, 1)
        area += (veil * rng.uniform(0.3, 0.75))[:, :, None] * np.array(tint, np.float32) * 0.75
    canvas.image.paste(Image.fromarray(area.clip(0, 255).astype(np.uint8)))
    for _ in range(int(rng.integers(90, 160))):
        canvas.disc(
            rng.uniform(0, WIDTH),
            rng.uniform(0, HEIGHT),
            rng.uniform(0.6, 1.8),
            (255, 255, 255, int(rng.integers(120, 256))),
        )
    for _ in range(int(rng.integers(1, 4))):
        x, y, radius = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT * 0.7), rng.uniform(12, 40)
        tint = vary(
            rng,
            pick(
                rng,
                ((230, 120, 80), (90, 160, 230), (220, 190, 120), (120, 210, 170), (190, 120, 220)),
            ),
        )
        ring = rng.random() < 0.35
        if ring:
            canvas.pen.arc(
                (x - radius * 1.8, y - radius * 0.5, x + radius * 1.8, y + radius * 0.5),
                180,
                360,
                fill=mix(tint, (255, 255, 255), 0.4),
                width=4,
            )
        canvas.disc(x, y, radius, mix(tint, (10, 5, 40), 0.5))
        for share in (0.0, 0.33, 0.66, 1.0):
            canvas.disc(
                x - radius * 0.1 * (1 + share),
                y - radius * 0.1 * (1 + share),
                radius * (0.9 - 0.2 * share),
                mix(mix(tint, (10, 5, 40), 0.35), mix(tint, (255, 255, 255), 0.15), share),
            )
        if ring:
            canvas.pen.arc(
                (x - radius * 1.8, y - radius * 0.5, x + radius * 1.8, y + radius * 0.5),
                0,
                180,
                fill=mix(tint, (255, 255, 255), 0.6),
                width=4,
            )
    if rng.random() < 0.6:
        soil = vary(rng, pick(rng, ((150, 150, 165), (170, 110, 90), (120, 120, 160))))
        ground = HEIGHT * rng.uniform(0.78, 0.88)
        bow = 16 * np.linspace(-1, 1, 81) ** 2
        canvas.below(ridge(rng, ground - 10, 8, 1.5) + bow, mix(soil, base, 0.5))
        canvas.below(ridge(rng, ground, 4, 1.2) + bow, soil)
        canvas.grain(rng, ground + 10, HEIGHT, 10)
        for _ in range(int(rng.integers(4, 10))):
            x, y, radius = (
                rng.uniform(0, WIDTH),
                rng.uniform(ground + 20, HEIGHT),
                rng.uniform(6, 20),
            )
            canvas.disc(x, y, radius, mix(soil, (255, 255, 255), 0.25), 0.35)
            canvas.disc(x + 1, y + 1.5, radius * 0.86, mix(soil, (20, 15, 40), 0.4), 0.33)
