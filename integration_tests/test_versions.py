"""All packages of this repository carry one version, and the arrows between them point one way."""

from __future__ import annotations

import os
import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECTS = {
    path.parent.relative_to(ROOT).as_posix(): tomllib.loads(path.read_text())["project"]
    for path in sorted(ROOT.glob("p*/*/pyproject.toml"))
}
CORE = "packages/core"
WRITTEN = sorted(
    [
        *ROOT.glob("packages/core/src/onlay/scaffold/templates/*/pyproject.toml"),
        *ROOT.glob("integration_tests/*/pyproject.toml"),
    ]
)
"""What `onlay new` writes, and somebody else's plugins."""


EXTENDS = {"plugins/dense": ["onlay-image"]}
"""The only arrows between plugins: dense tasks read pictures as that plugin does."""


def requirements(project: dict) -> list[Requirement]:
    return [Requirement(text) for text in project["dependencies"]]


def test_the_repository_holds_core_and_members():
    assert CORE in PROJECTS
    assert {project["name"] for project in PROJECTS.values()} >= {"onlay", "onlay-train"}


def test_one_version():
    versions = {place: project["version"] for place, project in PROJECTS.items()}
    assert len(set(versions.values())) == 1, versions


@pytest.mark.parametrize("place", PROJECTS)
def test_every_dependency_has_a_lower_bound(place):
    """The lane of oldest versions installs exactly these (`built_wheels.py --versions lowest`)."""
    bounds = {
        req.name: [spec.version for spec in req.specifier if spec.operator == ">="]
        for req in requirements(PROJECTS[place])
    }
    assert {name: found for name, found in bounds.items() if len(found) != 1} == {}


@pytest.mark.parametrize("place", [place for place in PROJECTS if place != CORE])
def test_a_member_depends_on_core_alone_or_on_what_it_extends(place):
    ours = {project["name"] for project in PROJECTS.values()}
    wanted = [req for req in requirements(PROJECTS[place]) if req.name in ours]
    assert [req.name for req in wanted] == ["onlay", *EXTENDS.get(place, [])]
    version = Version(PROJECTS[CORE]["version"])
    next_minor = f"{version.major}.{version.minor + 1}.0"
    assert all(version in req.specifier for req in wanted)
    assert not any(next_minor in req.specifier for req in wanted)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.parent.name)
def test_templates_and_plugins_of_others_are_for_this_version(path):
    bound = next(
        text
        for text in PROJECTS["packages/train"]["dependencies"]
        if Requirement(text).name == "onlay"
    )
    texts = [path.read_text(), *(p.read_text() for p in path.parent.glob("README.md"))]
    assert bound in texts[0]
    met = {found for text in texts for found in re.findall(r"onlay(?:-[a-z]+)?(>=[\d.,<]+)", text)}
    assert met == {bound.removeprefix("onlay")}


def test_core_depends_on_no_member():
    ours = {project["name"] for project in PROJECTS.values()}
    assert not ours & {req.name for req in requirements(PROJECTS[CORE])}


@pytest.mark.parametrize("place", PROJECTS)
def test_a_member_has_one_entry_point_and_its_licence(place):
    assert len(PROJECTS[place]["entry-points"]["onlay"]) == 1
    assert (ROOT / place / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("place", PROJECTS)
def test_every_dependency_has_its_reason(place):
    """CONTRIBUTING.md has a row `| name | distribution | why |` for each."""
    project, ours = PROJECTS[place], {p["name"] for p in PROJECTS.values()}
    lines = (ROOT / "CONTRIBUTING.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    explained = {row[0] for row in rows if project["name"] in row[1].split(", ") and row[2]}
    assert {req.name for req in requirements(project)} - ours <= explained


def test_no_plugin_imports_another():
    """Source text, because an import inside a function would hide from the solo environments."""
    for place, project in PROJECTS.items():
        allowed = {project["name"], "onlay", *EXTENDS.get(place, [])}
        others = {p["name"] for p in PROJECTS.values()} - allowed
        for file in (ROOT / place / "src").rglob("*.py"):
            text = file.read_text()
            names = [other.replace("-", "_") for other in others]
            met = [name for name in names if f"import {name}" in text or f"from {name}" in text]
            assert not met, f"{file.relative_to(ROOT)} imports {met}"


@pytest.mark.skipif("ONLAY_WHEELS" not in os.environ, reason="only built wheels list their files")
def test_wheels_carry_types_licence_and_weights(expected, ours):
    for name in expected & ours:
        files = {file.name: file for file in distribution(name).files or ()}
        assert {"py.typed", "LICENSE", "entry_points.txt"} <= files.keys(), name
        weights = [file for path, file in files.items() if path.endswith(".safetensors")]
        assert bool(weights) == (name in ("onlay-image", "onlay-pointcloud"))
        assert sum(file.size or 0 for file in weights) <= 6e6
