"""Rebuild the storybook artwork and vocabulary from their registry packages.

Enters: six npm packages at pinned versions (fetched with `npm pack`, or read from `--packages
DIR`), each checked against its sha256. Leaves: `vdjax/data/storybook/art/<look>.webp` (one sheet
of 96 x 96 tiles per look), `art.json` (the size of every picture inside its tile, and where it
came from) and `vdjax/plan/vocabulary.json`. All three are committed, so nobody needs this script
to make a film; it needs `npm` and `pip install resvg-py`, and takes two minutes.

Every picture is rendered large, cut to its own alpha and scaled so that its long side fills the
tile: a box around a tile's art is then tight by construction.

    python scripts/build_artwork.py                # rebuild everything
    python scripts/build_artwork.py --vocabulary   # only the words
    python scripts/build_artwork.py --check        # rebuild nothing, compare with what is committed
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
from PIL import Image
from storybook_names import BACKGROUNDS, NOT_NAMES, OTHER_SPELLINGS, ROWS

TILE = 96
COLUMNS = 8
RENDER = 512
#: Fainter pixels than this (of 255) do not count as art when a picture is cut out.
FAINT = 24

ROOT = Path(__file__).resolve().parents[1]
ART = ROOT / "vdjax" / "data" / "storybook" / "art"
VOCABULARY = ROOT / "vdjax" / "plan" / "vocabulary.json"

#: Key -> npm package, version, sha256 of the packed file, licence.
PACKAGES = {
    "noto": (
        "@iconify-json/noto",
        "1.2.9",
        "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        "Apache-2.0",
    ),
    "fluent": (
        "@iconify-json/fluent-emoji",
        "1.2.7",
        "8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b",
        "MIT",
    ),
    "twemoji": (
        "@iconify-json/twemoji",
        "1.2.5",
        "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        "CC-BY-4.0",
    ),
    "emojione": (
        "@iconify-json/emojione",
        "1.2.3",
        "26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
        "CC-BY-4.0",
    ),
    "emojilib": (
        "emojilib",
        "4.0.3",
        "7f9a6b43cff31d18985b7d65d11faba5bd971cbcc60020cf6d09322fbaaaf303",
        "MIT",
    ),
    "unicode-emoji-json": (
        "unicode-emoji-json",
        "0.9.0",
        "ae7efacb55533385bf8767d613dbd36c71226669759d95919a6e9059f5e4c401",
        "MIT",
    ),
}
LOOKS = ("noto", "fluent", "twemoji", "emojione")
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">{body}</svg>'
)


def package_file(key: str, folder: Path) -> Path:
    """The packed file of one package, fetched into `folder` if absent; its sha256 must match."""
    name, version, sha256, _ = PACKAGES[key]
    path = folder / f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"
    if not path.exists():
        print(f"fetching {name}@{version}")
        command = ["npm", "pack", f"{name}@{version}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        sys.exit(f"{path}: sha256 is {found}, expected {sha256}; delete the file and run again")
    return path


def member(path: Path, name: str) -> dict:
    """One JSON file from inside a packed npm package."""
    with tarfile.open(path) as tar:
        return json.load(tar.extractfile(f"package/{name}"))


def record_of(icons: dict, icon: str) -> dict:
    """The record of an icon, by its name or by another name the set has for it."""
    if icon in icons["icons"]:
        return icons["icons"][icon]
    alias = icons["aliases"].get(icon)
    if alias is None:
        sys.exit(f"the set has no icon '{icon}'; add its name to OTHER_SPELLINGS")
    if set(alias) != {"parent"}:
        sys.exit(f"'{icon}' is another icon, turned ({alias}); choose an icon that is not")
    return record_of(icons, alias["parent"])


def rasterise(icons: dict, icon: str) -> Image.Image:
    """One icon as RGBA, cut to its art, long side TILE pixels."""
    import resvg_py

    record = record_of(icons, icon)
    svg = SVG.format(
        left=record.get("left", 0),
        top=record.get("top", 0),
        width=record.get("width", icons.get("width", 16)),
        height=record.get("height", icons.get("height", 16)),
        body=record["body"],
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=RENDER, height=RENDER))
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    alpha = np.asarray(image)[:, :, 3] >= FAINT
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    image = image.crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    scale = TILE / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS)


def build_sheets(packages: Path, art: Path) -> None:
    """Write one sheet per look and art.json into the folder `art`."""
    sizes: dict[str, dict[str, list[int]]] = {row[0]: {} for row in ROWS}
    for look in LOOKS:
        icons = member(package_file(look, packages), "icons.json")
        sheet = Image.new("RGBA", (COLUMNS * TILE, -(-len(ROWS) // COLUMNS) * TILE))
        for number, (name, _, icon, *_) in enumerate(ROWS):
            picture = rasterise(icons, OTHER_SPELLINGS.get((look, icon), icon))
            sheet.paste(picture, (number % COLUMNS * TILE, number // COLUMNS * TILE))
            sizes[name][look] = list(picture.size)
        sheet.save(art / f"{look}.webp", lossless=True, quality=100, method=6)
    fields = ("package", "version", "sha256", "licence")
    data = {
        "tile": TILE,
        "columns": COLUMNS,
        "looks": {look: dict(zip(fields, PACKAGES[look], strict=True)) for look in LOOKS},
        "names": [row[0] for row in ROWS],
        "icons": {row[0]: row[2] for row in ROWS},
        "sizes": sizes,
    }
    text = re.sub(r"\[\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2]", json.dumps(data, indent=1))
    (art / "art.json").write_text(text + "\n", encoding="utf-8")


def emoji_keywords(packages: Path) -> dict[str, list[str]]:
    """Kebab-case emoji name -> keywords, lower case, from the two emoji lists."""
    names = member(package_file("unicode-emoji-json", packages), "data-by-emoji.json")
    words = member(package_file("emojilib", packages), "dist/emoji-en-US.json")
    found = {}
    for emoji, record in names.items():
        slug = record["slug"].replace("_", "-")
        listed = [slug.replace("-", " "), *(w.replace("_", " ") for w in words.get(emoji, []))]
        found[slug] = [word.lower() for word in listed if word.isascii()]
    return found


def build_vocabulary(packages: Path, sizes: dict, path: Path) -> None:
    """Write the vocabulary. A word that several things share stays only where a hand put it."""
    lists = emoji_keywords(packages)
    own = {row[0]: [word.replace("-", " ") for word in row[6].split()] for row in ROWS}
    scenery = {
        name: [word.replace("-", " ") for word in words.split()]
        for name, words in BACKGROUNDS.items()
    }
    taken = {*own, *scenery, *(row[1] for row in ROWS), *NOT_NAMES}
    taken.update(word for words in (*own.values(), *scenery.values()) for word in words)
    borrowed = {row[0]: [w for w in lists.get(row[2], []) if w not in taken] for row in ROWS}
    entities = {}
    for name, plural, _, category, place, height, _ in ROWS:
        unique = [
            word
            for word in borrowed[name]
            if word.replace(" ", "").isalpha()
            and not set(word.split()) & NOT_NAMES
            and sum(word in words for words in borrowed.values()) == 1
        ]
        aspects = [sizes[name][look][0] / sizes[name][look][1] for look in LOOKS]
        entities[name] = {
            "plural": plural,
            "category": category,
            "place": place,
            "height": height,
            "aspect": round(sum(aspects) / len(aspects), 3),
            "keywords": list(dict.fromkeys([*own[name], *unique])),
        }
    text = json.dumps({"entities": entities, "backgrounds": scenery}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def differences(rebuilt: Path) -> list[str]:
    """What the committed files do not share with those in the folder `rebuilt`."""
    found = []
    for look in LOOKS:
        old, new = (np.asarray(Image.open(d / f"{look}.webp"), int) for d in (ART, rebuilt))
        # The renderer's anti-aliasing may move by a little from release to release.
        if old.shape != new.shape or np.abs(old - new).max() > 8:
            found.append(f"{look}.webp")
    found += [
        name
        for name, old in (("art.json", ART / "art.json"), ("vocabulary.json", VOCABULARY))
        if old.read_text(encoding="utf-8") != (rebuilt / name).read_text(encoding="utf-8")
    ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, help="folder that holds the packed packages")
    parser.add_argument("--vocabulary", action="store_true", help="rebuild only the vocabulary")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        packages = options.packages or Path(temporary)
        art = Path(temporary) if options.check else ART
        if not options.vocabulary:
            build_sheets(packages, art)
        sizes = json.loads((art / "art.json").read_text(encoding="utf-8"))["sizes"]
        words = art / "vocabulary.json" if options.check else VOCABULARY
        build_vocabulary(packages, sizes, words)
        if options.check:
            found = differences(art)
            if found:
                sys.exit(f"not as committed: {', '.join(found)}")
            print("all as committed")
            return
    for path in (*sorted(ART.glob("*.webp")), ART / "art.json", VOCABULARY):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
