"""Pages about papers: three parts in one order, a picture, the citation of the descriptor."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from onlay import PluginHost
from onlay.anatomy import BLOCK_SITES, MODEL_SITES

PAGES = Path(__file__).parents[3] / "docs" / "explanation"
PAPERS = ("arc", "dapt", "smoa", "iconformer")
PARTS = ["What the paper says", "What we read into it", "How to cite"]
PICTURES = sorted(PAGES.glob("*.svg"))


@pytest.mark.parametrize("method", PAPERS)
def test_what_it_says_what_we_read_how_to_cite(method: str) -> None:
    text = (PAGES / f"{method}.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert [heading for heading in headings if heading in PARTS] == PARTS
    assert headings[:2] + headings[-1:] == PARTS
    assert f'--8<-- "docs/explanation/{method}.svg"' in text
    assert f"<!-- citation: {method} -->" in text.partition(f"## {PARTS[-1]}")[2]
    assert "@misc{" not in text
    assert "@inproceedings{" not in text  # written once, in the descriptor


@pytest.mark.parametrize("method", PAPERS)
def test_a_citation_names_authors_title_year_and_number(method: str, host: PluginHost) -> None:
    if method not in host.methods:
        pytest.skip(f"needs onlay-{method}")
    form = r"[A-Z]\w+(, [A-Z]\w+)*: .+\. .*20\d\d\. arXiv:\d{4}\.\d{5}"
    assert re.fullmatch(form, host.methods[method].citation)


def test_every_site_has_its_name_in_the_picture() -> None:
    root = ElementTree.parse(PAGES / "block.svg").getroot()
    words = {text.strip() for text in root.itertext()}
    assert words >= {*BLOCK_SITES, *MODEL_SITES}


@pytest.mark.parametrize("file", PICTURES, ids=lambda p: p.stem)
def test_a_picture_can_be_read_aloud_and_stand_beside_others(file: Path) -> None:
    root = ElementTree.parse(file).getroot()
    title, description = root[0], root[1]
    assert (title.tag[-5:], description.tag[-4:]) == ("title", "desc")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    others = "".join(p.read_text(encoding="utf-8") for p in PICTURES if p != file)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert not [name for name in ids if f'id="{name}"' in others]
    assert any(f"docs/explanation/{file.name}" in p.read_text() for p in PAGES.glob("*.md"))
