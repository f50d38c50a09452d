"""The brushes that paint the storybook's backgrounds: gradients, ridges, clouds, grain, floors in
perspective.

Enters: a canvas and a random generator. Leaves: the canvas, painted on. Nothing here knows a
place; the painters in `places.py` and `rooms.py` do. Canvases are drawn at twice their final size
and averaged down, which is all the anti-aliasing that PIL's polygons need.
"""

import colorsys

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

#: Size of a canvas while it is painted (width, height), twice the size it is kept at.
WIDTH, HEIGHT = 320, 256

Colour = tuple[int, int, int]
Number = int | float


def mix(first: Colour, second: Colour, share: Number) -> Colour:
    """`first` at share 0, `second` at share 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def vary(rng: np.random.Generator, colour: Colour, hue=0.03, saturation=0.12, value=0.1) -> Colour:
    """A neighbour of `colour`: hue (turns), saturation and value (shares) moved by up to this."""
    h, s, v = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    h = (h + rng.uniform(-hue, hue)) % 1
    s = min(1.0, max(0.0, s * (1 + rng.uniform(-saturation, saturation))))
    v = min(1.0, max(0.0, v * (1 + rng.uniform(-value, value))))
    red, green, blue = (round(channel * 255) for channel in colorsys.hsv_to_rgb(h, s, v))
    return red, green, blue


def pick(rng: np.random.Generator, choices):
    """One of `choices`, each as likely."""
    return choices[int(rng.integers(len(choices)))]


class Canvas:
    """An RGB picture of WIDTH x HEIGHT with a pen that blends: a colour may carry an alpha."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH, HEIGHT))
        self.pen = ImageDraw.Draw(self.image, "RGBA")

    def gradient(self, top: Number, bottom: Number, *colours: Colour) -> None:
        """Fill the rows from `top` to `bottom` with a vertical run through `colours`."""
        top, bottom = round(top), round(bottom)
        if bottom <= top:
            return
        at = np.linspace(0, len(colours) - 1, bottom - top)
        stops = np.arange(len(colours))
        channels = [np.interp(at, stops, [colour[c] for colour in colours]) for c in range(3)]
        column = np.stack(channels, -1).round().astype(np.uint8)[:, None]
        self.image.paste(
            Image.fromarray(column).resize((WIDTH, bottom - top), Image.Resampling.NEAREST),
            (0, top),
        )

    def below(self, line: Float[np.ndarray, " column"], colour) -> None:
        """Fill everything under a line of any number of y values, spread over the width."""
        xs = np.linspace(0, WIDTH, len(line))
        self.pen.polygon(
            [*zip(xs.tolist(), line.tolist(), strict=True), (WIDTH, HEIGHT), (0, HEIGHT)],
            fill=colour,
        )

    def grain(
        self, rng: np.random.Generator, top: Number, bottom: Number, strength: Number, cell=(4, 2)
    ) -> None:
        """Roughen the rows from `top` to `bottom` by soft noise of up to +-strength (of 255)."""
        top, bottom = max(0, round(top)), min(HEIGHT, round(bottom))
        if bottom <= top:
            return
        coarse = rng.uniform(
            -strength, strength, (max(2, (bottom - top) // cell[1]), max(2, WIDTH // cell[0]))
        )
        noise = Image.fromarray(coarse.astype(np.float32)).resize(
            (WIDTH, bottom - top), Image.Resampling.BILINEAR
        )
        area = np.asarray(self.image)[top:bottom] + np.asarray(noise)[:, :, None]
        self.image.paste(Image.fromarray(area.clip(0, 255).astype(np.uint8)), (0, top))

    def disc(self, x: Number, y: Number, radius: Number, colour, squash: Number = 1.0) -> None:
        """An ellipse around (x, y), `squash` times as high as wide."""
        self.pen.ellipse(
            (x - radius, y - radius * squash, x + radius, y + radius * squash), fill=colour
        )

    def glow(
        self, x: Number, y: Number, radius: Number, colour: Colour, strength: int = 26
    ) -> None:
        """A soft halo: discs of growing radius, each faint."""
        for share in (1.0, 0.8, 0.62, 0.46, 0.33):
            self.disc(x, y, radius * share, (*colour, strength))

    def finished(self, width: int, height: int) -> Image.Image:
        """The picture averaged down to width x height."""
        return self.image.resize((width, height), Image.Resampling.BOX)


def ridge(
    rng: np.random.Generator, base: Number, amplitude: Number, waves: Number
) -> Float[np.ndarray, " column"]:
    """A rolling line around y = `base`, `waves` humps over the width, +-amplitude pixels."""
    x = np.linspace(0, 2 * np.pi, 81)
    line = np.zeros_like(x)
    for octave, weight in ((1.0, 0.6), (1.9, 0.28), (3.7, 0.12)):
        line += weight * np.sin(
            x * waves * octave * rng.uniform(0.85, 1.15) + rng.uniform(0, 2 * np.pi)
        )
    return base + amplitude * line


def clouds(
    canvas: Canvas, rng: np.random.Generator, horizon: Number, colour: Colour, count: int
) -> None:
    """Puffs of overlapping discs in the upper sky, smaller towards the horizon."""
    for _ in range(count):
        height = rng.uniform(0.08, 0.62)
        x, y, size = rng.uniform(0, WIDTH), horizon * height, (1.15 - height) * rng.uniform(12, 22)
        shade = mix(colour, (120, 130, 160), 0.18)
        for tint, dy in ((shade, size * 0.22), (colour, 0.0)):
            for step in np.linspace(-1.5, 1.5, 6):
                radius = size * (0.75 - 0.28 * abs(step) + 0.14 * np.sin(step * 7 + size))
                canvas.disc(x + step * size, y + dy, radius, (*tint, 215), 0.72)


def pine(
    canvas: Canvas, x: Number, foot: Number, height: Number, colour: Colour, snow: Number = 0.0
) -> None:
    """A conifer of three tiers standing at (x, foot); `snow` whitens its upper edges."""
    width = height * 0.42
    canvas.pen.rectangle(
        (x - height * 0.035, foot - height * 0.16, x + height * 0.035, foot),
        fill=mix(colour, (70, 45, 30), 0.6),
    )
    for tier in range(3):
        low = foot - height * (0.12 + 0.26 * tier)
        high = low - height * (0.42 - 0.03 * tier)
        half = width / 2 * (1 - 0.24 * tier)
        canvas.pen.polygon(
            [(x - half, low), (x, high), (x + half, low)], fill=mix(colour, (20, 30, 40), 0.1)
        )
        canvas.pen.polygon(
            [(x - half, low), (x, high), (x + half * 0.1, low)],
            fill=mix(colour, (255, 255, 220), 0.08),
        )
        if snow:
            canvas.pen.polygon(
                [
                    (x - half * 0.5, (low + high) / 2),
                    (x, high),
                    (x + half * 0.5, (low + high) / 2),
                    (x, (low + high) / 2 - height * 0.04),
                ],
                fill=mix(colour, (245, 250, 255), snow),
            )


def floor_lines(
    canvas: Canvas, horizon: Number, eye: tuple[Number, Number], colour, count: int = 9
) -> None:
    """Lines of a floor from row `horizon` down that meet at the vanishing point `eye`."""
    for x in np.linspace(-WIDTH * 1.6, WIDTH * 2.6, count * 2 + 1):
        share = (horizon - eye[1]) / (HEIGHT - eye[1])
        canvas.pen.line(
            [(eye[0] + (x - eye[0]) * share, horizon), (x, HEIGHT)], fill=colour, width=2
        )


def checker(
    canvas: Canvas, horizon: Number, eye: tuple[Number, Number], light: Colour, dark: Colour
) -> None:
    """A tiled floor in perspective from row `horizon` down."""
    depth = HEIGHT - eye[1]
    near = (HEIGHT - eye[1]) / (horizon - eye[1])
    rows = eye[1] + depth / np.linspace(1, near, 9)
    columns = np.linspace(-WIDTH * 1.5, WIDTH * 2.5, 25)
    for r in range(8):
        for c in range(24):
            corners = []
            for column, row in ((c, r), (c + 1, r), (c + 1, r + 1), (c, r + 1)):
                share = (rows[row] - eye[1]) / depth
                corners.append((eye[0] + (columns[column] - eye[0]) * share, rows[row]))
            haze = r / 8
            canvas.pen.polygon(
                corners, fill=mix(light if (r + c) % 2 else dark, light, 0.25 * haze)
            )
