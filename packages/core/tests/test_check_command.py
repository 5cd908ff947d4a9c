"""`onlay plugins check`: a table, a status, and one sentence for what cannot be checked."""

from __future__ import annotations

import json
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import pytest
from click.testing import CliRunner

import onlay
import onlay.testing
from onlay.cli import main
from onlay.testing import suites
from onlay.testing.methods import METHOD_CHECKS

PLANTED = str(Path(__file__).parent / "planted" / "planted.py")
FEW = {"check_settings_are_described", "check_folds_exactly", "check_counts_its_parameters"}


@pytest.fixture
def check(monkeypatch):
    """Run the command on the planted methods with three quick checks."""
    few = [each for each in METHOD_CHECKS if each.name in FEW]
    suite = suites.Suite(few, suites.SUITES["method"].cases)
    monkeypatch.setattr(suites, "SUITES", {**suites.SUITES, "method": suite})

    def run(*args: str):
        return CliRunner().invoke(main, ["--plugin", PLANTED, "plugins", "check", *args])

    return run


def test_a_broken_contract_is_told_with_its_case_and_the_status_is_one(check):
    result = check("forgotten_bias")
    assert result.exit_code == 1
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["broken", "folds", "exactly"] in [line[:3] for line in lines]
    assert ["kept", "settings", "are", "described"] in [line[:4] for line in lines]
    told = " ".join(result.stdout.split())
    assert "outputs move by" in told
    assert "with `forgotten_bias` (defaults) on a tiny ViT" in told
    assert "3 contracts: 1 kept, 1 broken, 1 not asked" in told


def test_a_healthy_method_has_status_zero(check):
    result = check("healthy", "--verbose")
    assert result.exit_code == 0
    told = " ".join(result.stdout.split())
    assert "merges into plain weights with the same outputs" in told
    assert "the method declares no formula" in told


def test_verbose_shows_where_it_broke(check):
    assert "check_folds_exactly" in check("forgotten_bias", "--verbose").stdout


def test_json_has_every_contract(check):
    rows = json.loads(check("forgotten_bias", "--json").stdout)
    assert {row["check"]: row["verdict"] for row in rows} == {
        "check_settings_are_described": "kept",
        "check_counts_its_parameters": "not asked",
        "check_folds_exactly": "broken",
    }
    assert all(row["contract"].endswith(".") for row in rows)


def test_words_choose_checks_as_in_pytest(check):
    result = check("forgotten_bias", "-k", "folds or copies", "--json")
    assert [row["check"] for row in json.loads(result.stdout)] == ["check_folds_exactly"]
    assert result.exit_code == 1
    assert check("forgotten_bias", "-k", "not (folds exactly)").exit_code == 0


def test_words_that_choose_nothing_are_one_sentence(check):
    result = check("healthy", "-k", "fold_exactly")
    assert result.exit_code == 2
    assert "no check has `fold_exactly` in its name; near are `folds_exactly`" in result.stderr


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("forgoten_bias", "did you mean `forgotten_bias`?"),
        ("needy", "needs `frequency`"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(check, name, sentence):
    result = check(name)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("package", [onlay, onlay.testing], ids=lambda package: package.__name__)
def test_no_module_is_called_as_a_part_that_is_loaded_late(package: ModuleType) -> None:
    """Once it is imported, it would stand for the part."""
    assert not {each.name for each in iter_modules(package.__path__)} & set(package.__all__)
