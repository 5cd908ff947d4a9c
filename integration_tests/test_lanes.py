"""The lanes of oldest and newest versions hold the versions that they claim."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import requires, version

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

LANE = os.environ.get("ONLAY_VERSIONS")
FOUR = {"torch", "timm", "pydantic", "pluggy"}


def bounds(distributions: set[str]) -> dict[str, str]:
    """What the installed packages of ours depend on -> the oldest version that they allow."""
    asked = [Requirement(text) for name in distributions for text in requires(name) or ()]
    return {
        requirement.name: bound.version
        for requirement in asked
        for bound in requirement.specifier
        if bound.operator == ">=" and requirement.marker is None
    }


@pytest.mark.skipif(LANE != "lowest", reason="`hatch run wheels:run --versions lowest`")
def test_the_oldest_lane_holds_the_lower_bounds(expected):
    oldest = {name: low for name, low in bounds(expected).items() if name not in expected}
    assert {"torch", "pydantic", "pluggy"} <= oldest.keys()
    assert {name: Version(version(name)) for name in oldest} == {
        name: Version(low) for name, low in oldest.items()
    }
    assert sys.version_info[:2] == (3, 11)


@pytest.mark.skipif(LANE != "newest", reason="`hatch run wheels:run`")
def test_the_newest_lane_holds_what_the_index_has_today():
    command = ["uv", "pip", "list", "--outdated", "--format", "json", "--python", sys.executable]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    outdated = {row["name"]: row["latest_version"] for row in json.loads(listed.stdout)}
    assert {name: latest for name, latest in outdated.items() if name in FOUR} == {}
