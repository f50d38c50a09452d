"""Rebuild the storybook artwork and vocabulary from their registry packages.

Enters: six npm packages at pinned versions (fetched with ``npm pack``, or read from ``--packages DIR``), each
checked against its sha256. Leaves: ``vdjax/data/storybook/art/<look>.webp`` (one sheet of 96 x 96 tiles per
look), ``art.json`` (the size of every picture inside its tile, and where it came from) and
``vdjax/plan/vocabulary.json``. The outputs are committed, so nobody needs this script to make a film.

Every picture is rendered large, cut to its own alpha and scaled so that its long side fills the tile: a box
around a tile's art is then tight by construction.
"""

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image
from storybook_names import BACKGROUNDS, OTHER_SPELLINGS, ROWS

TILE = 96
COLUMNS = 8
RENDER = 512
#: Fainter pixels than this (of 255) do not count as art when a picture is cut out.
FAINT = 24

ROOT = Path(__file__).resolve().parents[1]
ART = ROOT / "vdjax" / "data" / "storybook" / "art"
VOCABULARY = ROOT / "vdjax" / "plan" / "vocabulary.json"

#: npm package, version, sha256 of the packed file, licence.
PACKAGES = {
    "noto": ("@iconify-json/noto", "1.2.9", "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad", "Apache-2.0"),
    "fluent": ("@iconify-json/fluent-emoji", "1.2.7", "8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b", "MIT"),
    "twemoji": ("@iconify-json/twemoji", "1.2.5", "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7", "CC-BY-4.0"),
    "emojione": ("@iconify-json/emojione", "1.2.3", "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e", "CC-BY-4.0"),
    "emojilib": ("emojilib", "4.0.3", "7f9a6b43cff31d18985b7d65d11faba5bd971cbcc60020cf6d09322fbaaaf303", "MIT"),
    "unicode-emoji-json": ("unicode-emoji-json", "0.9.0", "ae7efacb55533385bf8767d613dbd36c71226669759d95919a6e9059f5e4c401", "MIT"),
}
LOOKS = ("noto", "fluent", "twemoji", "emojione")


def package_file(key: str, folder: Path) -> Path:
    """The packed file of one package in `folder`, fetched there if absent; its sha256 must match."""
    name, version, sha256, _ = PACKAGES[key]
    path = folder / f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"
    if not path.exists():
        subprocess.run(["npm", "pack", f"{name}@{version}"], cwd=folder, check=True, capture_output=True)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        sys.exit(f"{path}: sha256 is {found}, expected {sha256}; delete the file and run again")
    return path


def member(path: Path, name: str) -> dict:
    """One JSON file from inside a packed npm package."""
    with tarfile.open(path) as tar:
        return json.load(tar.extractfile(f"package/{name}"))


def resolve(icons: dict, icon: str) -> tuple[dict, dict]:
    """The icon's record and its alias record (empty if `icon` is no alias)."""
    if icon in icons["icons"]:
        return icons["icons"][icon], {}
    alias = icons["aliases"][icon]
    if set(alias) - {"parent"}:
        sys.exit(f"alias {icon} transforms its parent ({alias}); choose an icon that does not")
    return icons["icons"][alias["parent"]], alias


def rasterise(icons: dict, icon: str) -> Image.Image:
    """One icon as RGBA, cut to its art, long side TILE pixels."""
    record, _ = resolve(icons, icon)
    width = record.get("width", icons.get("width", 16))
    height = record.get("height", icons.get("height", 16))
    left, top = record.get("left", 0), record.get("top", 0)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">{record["body"]}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=RENDER, height=RENDER))
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    alpha = np.asarray(image)[:, :, 3] >= FAINT
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    image = image.crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    scale = TILE / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=None)


def build_sheets(folder: Path) -> dict:
    """Write one sheet per look; return {name: {look: [width, height]}} in pixels."""
    sizes: dict[str, dict[str, list[int]]] = {row[0]: {} for row in ROWS}
    for look in LOOKS:
        icons = member(package_file(look, folder), "icons.json")
        sheet = Image.new("RGBA", (COLUMNS * TILE, -(-len(ROWS) // COLUMNS) * TILE))
        for number, (name, _, icon, *_) in enumerate(ROWS):
            art = rasterise(icons, OTHER_SPELLINGS.get((look, icon), icon))
            sheet.paste(art, (number % COLUMNS * TILE, number // COLUMNS * TILE))
            sizes[name][look] = list(art.size)
        sheet.save(ART / f"{look}.webp", lossless=True, quality=100, method=6, exact=False)
    art = {
        "tile": TILE,
        "columns": COLUMNS,
        "looks": {look: dict(zip(("package", "version", "sha256", "licence"), PACKAGES[look], strict=True))
                  for look in LOOKS},
        "names": [row[0] for row in ROWS],
        "icons": {row[0]: row[2] for row in ROWS},
        "sizes": sizes,
    }
    text = json.dumps(art, indent=1, ensure_ascii=False)
    (ART / "art.json").write_text(re.sub(r"\[\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2]", text) + "\n")
    return sizes


def emoji_keywords(folder: Path) -> dict[str, list[str]]:
    """Kebab-case emoji name -> keywords, from the two MIT emoji lists."""
    names = member(package_file("unicode-emoji-json", folder), "data-by-emoji.json")
    words = member(package_file("emojilib", folder), "dist/emoji-en-US.json")
    found: dict[str, list[str]] = {}
    for emoji, record in names.items():
        slug = record["slug"].replace("_", "-")
        found[slug] = [slug.replace("-", " "), *(word.replace("_", " ") for word in words.get(emoji, []))]
    return found


def build_vocabulary(folder: Path, sizes: dict) -> None:
    """Write vocabulary.json. A keyword that several things share is kept only where it was written by hand."""
    lists = emoji_keywords(folder)
    own = {row[0]: [word.replace("-", " ") for word in row[6].split()] for row in ROWS}
    taken = {word for words in own.values() for word in words} | set(own)
    taken |= {word for words in BACKGROUNDS.values() for word in words.replace("-", " ").split()} | set(BACKGROUNDS)
    borrowed = {
        row[0]: [word.lower() for word in lists.get(row[2], []) if word.isascii() and word.lower() not in taken]
        for row in ROWS
    }
    counts: dict[str, int] = {}
    for words in borrowed.values():
        for word in set(words):
            counts[word] = counts.get(word, 0) + 1
    entities = {}
    for name, plural, _, category, place, height, _ in ROWS:
        extra = [word for word in borrowed[name] if counts[word] == 1 and len(word) > 2]
        aspects = [sizes[name][look][0] / sizes[name][look][1] for look in LOOKS]
        entities[name] = {
            "plural": plural,
            "category": category,
            "place": place,
            "height": height,
            "aspect": round(sum(aspects) / len(aspects), 3),
            "keywords": list(dict.fromkeys([*own[name], *extra])),
        }
    backgrounds = {
        name: [word.replace("-", " ") for word in words.split()] for name, words in BACKGROUNDS.items()
    }
    data = {"entities": entities, "backgrounds": backgrounds}
    VOCABULARY.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, help="folder with the packed packages (else fetched to a temp one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.packages or Path(temporary)
        sizes = build_sheets(folder)
        build_vocabulary(folder, sizes)
    for path in (*sorted(ART.glob("*.webp")), ART / "art.json", VOCABULARY):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
