"""Names of files are bytes: some are no letters of any encoding, and some are orders to a
terminal."""

from __future__ import annotations

import csv
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from onlay.cli.options import device_or_default
from onlay.errors import ConfigError
from onlay.model.printing import print_csv, print_table
from onlay.model.vector_file import write_vectors

ODD = os.fsdecode(b"a\xff\xfe.jpg")


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", "a\\udcff\\udcfe.jpg"), ("ascii", "a\\udcff\\udcfe.jpg")]
)
def test_what_is_no_letter_is_written_out(
    monkeypatch: pytest.MonkeyPatch, encoding: str, told: str
) -> None:
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(out, encoding=encoding, errors="strict"))
    print_csv([(ODD, {"label": "x"})])
    print_table([(f"{ODD}\x1b[31m", {"label": "x"})])
    sys.stdout.flush()
    text = out.getvalue().decode(encoding)
    assert text.startswith(f"path,label\n{told},x\n")
    assert "\x1b[31m" not in text


def test_vectors_stand_beside_the_names_as_they_are(tmp_path: Path) -> None:
    vectors = {"cls": np.ones((1, 2), np.float32)}
    write_vectors(tmp_path / "v.csv", [Path(ODD)], vectors)
    with (tmp_path / "v.csv").open(encoding="utf-8", errors="surrogateescape") as file:
        assert next(iter(csv.DictReader(file)))["path"] == ODD
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    write_vectors(tmp_path / "v.parquet", [Path(ODD)], vectors)
    (name,) = parquet.read_table(tmp_path / "v.parquet")["path"].to_pylist()
    assert name == "a\\udcff\\udcfe.jpg"


def test_a_device_that_holds_no_numbers_is_none() -> None:
    with pytest.raises(ConfigError, match="device `meta` cannot be used"):
        device_or_default("meta")
