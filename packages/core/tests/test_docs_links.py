"""Links of the pages that are no part of the site, the form of links to elsewhere, `llms.txt`."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[3]
READMES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("p*/*/README.md")),
    *sorted(ROOT.glob("p*/*/pretraining/README.md")),
    ROOT / "pretraining/README.md",
]
PAGES = [*READMES, *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
URL = re.compile(r"https?://[^\s)\"'`<>\]}]+")


def heading_anchor(heading: str) -> str:
    """As GitHub and mkdocs make it."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def test_there_are_pages() -> None:
    assert len(READMES) >= 11
    assert len(PAGES) > 40


@pytest.mark.parametrize("page", READMES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_readmes_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(heading_anchor, headings), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_to_elsewhere_are_well_formed(page: Path) -> None:
    """Nobody is asked whether the address answers: that would need a network."""
    for url in URL.findall(page.read_text(encoding="utf-8")):
        address = urlsplit(url.rstrip(".,;:"))
        assert address.scheme == "https", url
        assert re.fullmatch(r"([\w-]+\.)+[a-z]{2,}", address.netloc), url
        if address.netloc == "arxiv.org":
            assert re.fullmatch(r"/(abs|bibtex)/\d{4}\.\d{5}", address.path), url


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_number_of_arxiv_leads_to_that_number(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for shown, led in re.findall(r"\[arXiv:([\d.]+)\]\(https://arxiv\.org/abs/([\d.]+)\)", text):
        assert shown == led


@pytest.fixture(scope="module")
def llms() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_llms", ROOT / "docs" / "llms.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(title: str, url: str, content: str) -> SimpleNamespace:
    return SimpleNamespace(title=title, url=url, content=content, is_section=False)


def test_the_overview_has_the_menu_and_what_each_page_begins_with(llms: ModuleType) -> None:
    home = page("Onlay", "", "<h1>Onlay</h1><p>It <code>adapts</code> &amp; folds.</p><p>Two.</p>")
    arc = page("ARC", "explanation/arc/", "<p>ARC (Dong et al. 2023) is\na method. More.</p>")
    bare = page("Changes", "reference/changelog/", "<table></table>")
    section = SimpleNamespace(is_section=True, title="Explanation", children=[arc, bare])
    config = {"site_name": "Onlay", "site_description": "Adapters."}
    text = llms.overview(config, SimpleNamespace(items=[home, section]), home)
    assert text == (
        "# Onlay\n\n> Adapters.\n\nIt adapts & folds.\n\nTwo.\n\n## Explanation\n\n"
        "- [ARC](explanation/arc/): ARC (Dong et al. 2023) is a method\n"
        "- [Changes](reference/changelog/)\n"
    )


def test_it_is_written_with_the_first_page_alone(llms: ModuleType, tmp_path: Path) -> None:
    home = SimpleNamespace(is_homepage=True, content="<p>First.</p>")
    nav = SimpleNamespace(items=[])
    config = {"site_dir": tmp_path / "site", "site_name": "X", "site_description": "Y"}
    llms.on_page_context({}, SimpleNamespace(is_homepage=False), config, nav)
    assert not (tmp_path / "site").exists()
    llms.on_page_context({}, home, config, nav)
    assert (tmp_path / "site" / "llms.txt").read_text() == "# X\n\n> Y\n\nFirst.\n"


def test_the_site_is_built_with_it() -> None:
    assert "  - docs/llms.py\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
