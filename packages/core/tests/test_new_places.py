"""Where `onlay new` writes, and where it does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from new_package import new

from onlay import scaffold
from onlay.scaffold import Names
from onlay.testing.said import refusal

# --- places


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "onlay-sway"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    sentence = refusal(new("method", "sway", "--into", tmp_path))
    assert sentence == f"`{folder}` is there already: give another name or remove it"
    assert [path.name for path in tmp_path.rglob("*")] == ["onlay-sway", "thesis.tex"]


def test_a_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "onlay-sway").write_text("mine")
    assert "is there already" in refusal(new("method", "sway", "--into", tmp_path))
    assert (tmp_path / "onlay-sway").read_text() == "mine"


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert refusal(new("task", "tags", "--into", gone)).startswith(f"there is no folder `{gone}`")
    assert not gone.exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """No system takes a file name of so many letters."""
    sentence = refusal(new("method", "x" * 300, "--into", tmp_path))
    assert re.search(r"onlay-x+` cannot be written: ", sentence)
    assert not list(tmp_path.iterdir())


def test_a_name_that_makes_one_of_two_files(tmp_path: Path) -> None:
    """`test_my_method.py` would be the template's `test_contract.py`."""
    assert refusal(new("method", "contract", "--into", tmp_path)) == (
        "`contract` gives two files of the package one name, `tests/test_contract.py`:"
        " choose another name"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_is_left(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def filled(names: Names, text: str, kind: str) -> str:
        written.append(text)
        if len(written) > 6:
            raise error
        return text

    monkeypatch.setattr(scaffold.Names, "filled", filled)
    result = new("method", "sway", "--into", tmp_path)
    assert result.exit_code == (2 if isinstance(error, OSError) else 130)
    assert len(written) == 7
    assert not list(tmp_path.iterdir())
