"""What of ours to install and how: no page and no sentence offers what a package index does not
have."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from onlay.host.firstparty import BROUGHT_BY, INSTALL, install

ROOT = Path(__file__).parents[3]
OFFER = re.compile(r"pip install ((?:[^`\n#]|(?<=\[)#)*)")
SOURCES = ("packages/*/src/**/*.py", "plugins/*/src/**/*.py")


def tracked(*suffixes: str) -> list[Path]:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not in a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name.endswith(suffixes)]
    return [file for file in files if file.is_file() and file.name != "CHANGELOG.md"]


def offered(text: str) -> Iterator[list[str]]:
    """The words of every command that installs something of ours by its name."""
    for found in OFFER.finditer(text):
        words = [word.strip("\"'") for word in found[1].split("&&")[0].split()]
        names = {re.split(r"[\[=<>!~]", word)[0] for word in words}
        if names & {"onlay", *BROUGHT_BY}:
            yield words


def test_ours_comes_from_wheels_that_one_builds_and_theirs_from_the_index() -> None:
    ours = "in a clone of Onlay `hatch build --all`, then `pip install --find-links dist onlay-arc`"
    assert install("onlay-arc") == ours
    assert "`pip install --find-links dist --upgrade onlay`" in install("--upgrade", "onlay")
    assert install("onlay-image[dicom]").endswith('--find-links dist "onlay-image[dicom]"`')
    assert install("onlay-acme==2.0") == "`pip install onlay-acme==2.0`"
    assert [words[-1] for words in offered(install("onlay[testing]>=0.1"))] == [
        "onlay[testing]>=0.1"
    ]


def test_every_page_offers_what_the_errors_offer() -> None:
    needed = "--find-links" in INSTALL
    pages = tracked(".md", ".txt")
    assert pages
    seen = [(page, words) for page in pages for words in offered(page.read_text("utf-8"))]
    assert seen
    assert [(str(p), w) for p, w in seen if ("--find-links" in w) is not needed] == []


def test_one_place_in_the_sources_says_how_to_install() -> None:
    sources = [file for pattern in SOURCES for file in ROOT.glob(pattern)]
    said = [file for file in sources if "pip install" in file.read_text(encoding="utf-8")]
    own = {"firstparty.py", "new.py", "head.py"}  # `-e FOLDER`, and torchmetrics
    assert {file.name for file in said} == own


def test_nothing_links_to_a_page_of_the_index_that_is_not_ours() -> None:
    if "--find-links" not in INSTALL:
        pytest.skip("ours is on the index")
    link = "pypi.org/" + "project/onlay"
    files = tracked(".md", ".py", ".toml", ".yml", ".txt")
    assert [str(file) for file in files if link in file.read_text(encoding="utf-8")] == []
