"""The site of the course builds without a warning, and asks nobody for anything when it is read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from course import masters

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("myst_nb", reason="the site's packages are not here; make site brings them")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-qW", "--keep-going", "-c", ROOT / "site"]
    done = subprocess.run(
        [*command, ROOT / "notebooks", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_edition_has_a_page(site, name):
    for folder in ("", "solutions", "teacher", "bare"):
        page = (site / folder / f"{name}.html").read_text(encoding="utf-8")
        assert "sphinx-error" not in page
        if folder != "bare":
            assert "<details>" in page
            assert "<math" in page or name == "00_start_here"


def test_pages_fetch_nothing(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        tags = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(https?:[^\"]+)", text)
        tags += re.findall(r"<link\b[^>]*stylesheet[^>]*href=\"(https?:[^\"]+)", text)
        assert tags == [], page.name


def test_the_first_page_leads_to_all(site):
    first = (site / "README.html").read_text(encoding="utf-8")
    for page in [*masters.names(), "glossary", "notation"]:
        assert f'href="{page}.html"' in first
