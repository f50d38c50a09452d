"""How fast the world makes samples on one core: `python -m vdjax.data.storybook.speed`."""

import time

from vdjax.data.storybook.world import StorybookWorld


def milliseconds(call, count: int, start: int) -> float:
    """Mean time of `call(index)` over `count` indices from `start`."""
    begin = time.perf_counter()
    for index in range(start, start + count):
        call(index)
    return (time.perf_counter() - begin) / count * 1e3


def main() -> None:
    world = StorybookWorld()
    for name, call, count in (
        ("image", world.image, 3000),
        ("clip", world.clip, 300),
        ("crop", world.crop, 3000),
    ):
        first = milliseconds(call, count, 0)
        print(
            f"{name:6s} {first:6.2f} ms each while the banks fill, "
            f"{milliseconds(call, count, count):6.2f} ms after"
        )


if __name__ == "__main__":
    main()
