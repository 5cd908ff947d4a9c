"""Tables of labels as spreadsheets, pandas and people write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onlay.config.data import TableConfig
from onlay.reading.label_tables import LabelTable
from onlay.reading.layouts import Layout
from onlay.testing.said import fails

Read = Callable[..., Layout]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """`read(text, **config)`: the layout of a table of that text, or of those bytes."""

    def make(content: str | bytes, columns: dict[str, str] | None = None, **config: Any) -> Layout:
        raw = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "t.csv").write_bytes(raw)
        path = tmp_path / "t.csv"
        table = LabelTable(path, tmp_path, "image")
        return table.layout(TableConfig(name="x", path=path, columns=columns or {}, **config))

    return make


def pairs(layout: Layout) -> dict[str, list[tuple[str, str]]]:
    return {part: [(i.key, i.label) for i in items] for part, items in layout.parts.items()}


EXPECTED = {"whole": [("a, b/1.jpg", "cat"), ("2.jpg", 'big "dog"')]}


@pytest.mark.parametrize(
    "content",
    [
        'path,label\n"a, b/1.jpg",cat\n2.jpg,"big ""dog"""\n',
        '\ufeffpath;label\r\n"a, b/1.jpg"; cat \r\n 2.jpg ;"big ""dog"""\r\n',
        'path\tlabel\r"a, b/1.jpg"\tcat\r2.jpg\t"big ""dog"""',
        'sep=;\n\nPath;Label;\n"a, b/1.jpg";cat;\n;;\n2.jpg;"big ""dog"""\n\n',
        ',label,path\n0,cat,"a, b/1.jpg"\n1,"big ""dog""",2.jpg\n',
        '"path", "label"\n"a, b/1.jpg", "cat "\n2.jpg, "big ""dog"""\n',
        'path|label\na, b/1.jpg|cat\n2.jpg|"big ""dog"""\n',
        'File Name,class_name,width\n"a, b/1.jpg",cat,5\n2.jpg,"big ""dog""",6\n',
    ],
    ids=["comma", "semicolon", "tab", "spreadsheet", "pandas", "blanks", "bar", "names"],
)
def test_one_table_in_many_spellings(read: Read, content: str) -> None:
    assert pairs(read(content)) == EXPECTED
    assert pairs(read(content.encode("utf-16"))) == EXPECTED


def test_columns_of_other_names(read: Read) -> None:
    text = "img,species,class\n1.jpg,robin,bird\n"
    assert pairs(read(text)) == {"whole": [("1.jpg", "bird")]}
    assert read(text).notes[0].startswith("column `img` of ")
    assert pairs(read(text, {"label": "species"})) == {"whole": [("1.jpg", "robin")]}
    fails(lambda: read(text, {"label": "kind"}), "no column `kind`", "`img`, `species`, `class`")
    fails(lambda: read("image,file,label\n1,2,3\n"), "several columns `path`", "`data.columns")


def test_splits_in_many_spellings(read: Read) -> None:
    text = "path,label,split\n1,a,Train\n2,b, training \n3,a,DEV\n4,a,holdout\n5,,unlabeled\n"
    found = read(text)
    assert pairs(found) == {
        "train": [("1", "a"), ("2", "b")],
        "val": [("3", "a")],
        "test": [("4", "a")],
    }
    assert found.notes == ("left out: 1 row of `unlabeled`",)
    assert list(read(text.replace("split", "data set")).parts) == ["train", "val", "test"]


def test_splits_that_the_configuration_names(read: Read) -> None:
    text = "path,label,split\n1,a,f0\n2,b,f1\n3,a,f2\n"
    fails(lambda: read(text), "line 2 of ", "has the split `f0`", "`data.parts`")
    found = read(text, parts={"train": ["f0"], "test": "f1"})
    assert pairs(found) == {"train": [("1", "a")], "test": [("2", "b")]}
    assert found.notes == ("left out: 1 row of `f2`",)
    assert list(read(text, parts="none").parts) == ["whole"]
    fails(lambda: read(text, parts={"train": "f9"}), "names `f9`", "`f0`, `f1`, `f2`")


@pytest.mark.parametrize("label", ["", "nan", "NaN", "<NA>", "None", "  "])
def test_labels_that_are_none(read: Read, label: str) -> None:
    text = f"path,label\n1.jpg,a\n2.jpg,{label}\n3.jpg,{label}\n"
    fails(lambda: read(text), "line 3 of ", "2 rows have none", "`data.labels`")
    if label.strip():
        assert read(text, labels=("a", label)).parts["whole"][1].label == label


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("path,label\n1, 2.jpg,a\n", "line 2 of `{}` has 3 cells, and there are 2 columns"),
        ("path,label\n,a\n", "line 2 of `{}` has no path"),
        ('path,label\n"1.jpg,a\n2.jpg,b\n', "a quotation mark missing"),
        ("path,label\n" + "x" * 140_000 + ",a\n", "line 2 of `{}` is no line of a table"),
        ("path,label\n1.jpg,caf\u00e9\n".encode("latin-1"), "no text in UTF-8 (byte 20)"),
        (b"PK\x03\x04\x00\x00label", "is no table of text"),
        ('sep="\npath,label\n1,a\n', "has no column `path`"),
        ("", "no column `path` (have: none)"),
        ("1.jpg,cat\n", "no column `path` (have: `1.jpg`, `cat`)"),
    ],
)
def test_what_is_no_table(read: Read, tmp_path: Path, content: Any, text: str) -> None:
    fails(lambda: read(content), text.format(tmp_path / "t.csv"))


def test_paths_of_windows(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    (item,) = read("path,label\na\\1.jpg,cat\n").parts["whole"]
    assert item.source == tmp_path / "a" / "1.jpg"
    (long,) = read(f"path,label\n{'x' * 5000}\\1.jpg,cat\n").parts["whole"]
    assert not long.key.startswith("/")
