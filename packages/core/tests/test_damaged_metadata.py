"""Distributions whose metadata is damaged."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner
from found_plugins import found

from onlay import PluginHost
from onlay.cli import main

# --- damaged metadata

NAMED = b"Metadata-Version: 2.1\nName: dist-ant\nVersion: 1.5\n"
POINTS = b"[onlay]\nant = dist_ant_module\n"


@pytest.mark.parametrize(
    ("files", "listed", "reason"),
    [
        (
            {"metadata": NAMED + b"Requires-Dist: onlay (>>1\n"},
            "ant",
            "`Requires-Dist: onlay (>>1` cannot be read: ",
        ),
        (
            {"metadata": NAMED + b"Requires-Dist: onlay>=0; phase_of_moon == 'full'\n"},
            "ant",
            "`Requires-Dist: onlay>=0; phase_of_moon == 'full'` cannot be read: ",
        ),
        (
            {"entry_points": POINTS + b"a line without a sign\n"},
            "dist-ant",
            "its entry_points.txt cannot be read: ",
        ),
        (
            {"entry_points": POINTS + b"caf\xe9 = a\n"},
            "dist-ant",
            "its entry_points.txt cannot be read: UnicodeDecodeError",
        ),
        (
            {"entry_points": b"[onlay]\nant = what: is this?\n"},
            "ant",
            "its entry point `what: is this?` is no import path",
        ),
        ({"entry_points": b"[onlay]\nant =\n"}, "ant", "its entry point `` is no import path"),
        ({"entry_points": b"[onlay]\n= x\n"}, "dist-ant", "its entry point has no name"),
        ({"metadata": None}, "ant", "its METADATA is missing or "),
        ({"metadata": b"Version: 1.5\n"}, "ant", "its METADATA is missing or "),
        ({"metadata": b"Name: caf\xe9\nVersion: 1.5\n"}, "ant", "its METADATA is missing or "),
        ({"metadata": NAMED + b"Requires-Dist: caf\xe9\n"}, "ant", "UnicodeDecodeError"),
    ],
)
def test_damaged_metadata_breaks_its_own_plugin_alone(site, files, listed, reason):
    site("mole", "")
    site("ant", "", **files)
    (broken,) = [r for r in PluginHost.discover().plugins if r.name == listed]
    assert broken.status == "broken"
    assert reason in broken.reason
    listing = CliRunner().invoke(main, ["plugins", "--json"], prog_name="onlay")
    status = {row["name"]: row["status"] for row in json.loads(listing.stdout)}
    assert (status[listed], status["mole"], status["core"]) == ("broken", "ok", "ok")


def test_a_stranger_with_damaged_metadata_does_not_count(site):
    site("mole", "")
    site("ant", "", entry_points=b"[console_scripts]\na line without a sign\n")
    site("bee", "", entry_points=b"\xff\xfe\x00 nothing of ours")
    assert set(found(PluginHost.discover())) == {"mole"}


def test_a_finder_that_fails_hides_only_its_own(site, monkeypatch):
    class Finder:
        def find_distributions(self, context):
            raise RuntimeError("no list today")

        def find_spec(self, *names):
            return None

    site("mole", "")
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    host = PluginHost.discover()
    assert found(host)["mole"].status == "ok"
    assert "linear" in host.methods


def test_of_two_copies_the_first_on_the_path_counts_beside_a_damaged_one(site, tmp_path):
    site("mole", "")
    site("ant", "", entry_points=b"[onlay]\nno sign\n")
    older = tmp_path / "older"
    (older / "dist_mole-1.4.dist-info").mkdir(parents=True)
    for name in ("METADATA", "entry_points.txt"):
        text = (tmp_path / "dist_mole-1.5.dist-info" / name).read_text()
        (older / "dist_mole-1.4.dist-info" / name).write_text(text.replace("1.5", "1.4"))
    sys.path.append(str(older))
    try:
        moles = [r for r in PluginHost.discover().plugins if r.name == "mole"]
    finally:
        sys.path.remove(str(older))
    assert [r.version for r in moles] == ["1.5"]


def test_names_are_shown_escaped(site):
    name = "\x1b[31mred\x1b[0m\u202e"
    site("ant", "", entry_points=f"[onlay]\n{name} = dist_ant_module\n".encode())
    told = CliRunner().invoke(main, ["plugins"], prog_name="onlay", color=True)
    assert told.exit_code == 0
    assert "\x1b" not in told.stdout
    assert "\u202e" not in told.stdout
    assert r"\x1b[31mred\x1b[0m\u202e" in told.stdout
