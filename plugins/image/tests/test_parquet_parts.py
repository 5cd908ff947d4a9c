"""Parts of tables of Parquet, columns that are taken by their names, labels that no name has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from onlay.errors import DataError
from onlay.reading.layouts import Layout
from onlay_image.data import parquet
from onlay_image.data.config import ParquetConfig
from onlay_image.data.samples import png

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

KINDS = ["ant", "bee", "ant", "bee"]


def write(path: Path, **columns: Sequence[Any]) -> Path:
    """Four pictures, of `KINDS` unless it is said otherwise."""
    columns = {"image": [png(n) for n in range(4)], "label": KINDS} | columns
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


def read(path: Path, **settings: Any) -> Layout:
    return parquet.layout(ParquetConfig(path=path, **settings))


def rows(layout: Layout) -> dict[str, list[int]]:
    """The numbers of the rows of each part."""
    return {part: [item.source.number for item in own] for part, own in layout.parts.items()}


def fails(path: Path, told: str, **settings: Any) -> None:
    with pytest.raises(DataError, match=told) as caught:
        read(path, **settings)
    assert "\n" not in str(caught.value)


def test_a_column_tells_the_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "all.parquet", split=["Train", "test", "train", " dev "])
    found = read(path)
    assert rows(found) == {"train": [0, 2], "test": [1], "val": [3]}
    assert [item.label for item in found.parts["train"]] == ["ant", "ant"]
    assert [item.key for item in found.parts["test"]] == ["all.parquet/1"]
    assert found.notes == ()
    assert rows(read(path, parts="none")) == {"whole": [0, 1, 2, 3]}


def test_of_several_tables_and_as_named_numbers(tmp_path: Path) -> None:
    feature = {"info": {"features": {"split": {"_type": "ClassLabel", "names": ["test", "train"]}}}}
    for name in ("a", "b"):
        path = write(tmp_path / f"{name}.parquet", split=[1, 1, 0, 1])
        noted = {b"huggingface": json.dumps(feature).encode()}
        pq.write_table(pq.read_table(path).replace_schema_metadata(noted), path)
    found = read(tmp_path)
    assert rows(found) == {"train": [0, 1, 3, 0, 1, 3], "test": [2, 2]}
    assert [item.label for item in found.parts["test"]] == ["ant", "ant"], "it is no class"
    write(tmp_path / "c.parquet")
    fails(tmp_path, r"c\.parquet` has no column `split`")


def test_rows_of_no_part_are_left_out_and_need_no_label(tmp_path: Path) -> None:
    split = ["train", "test", "unlabeled", None]
    path = write(tmp_path / "a.parquet", split=split, label=["ant", "bee", None, None])
    fails(path, r"row 3 of `.*a\.parquet` has the split `` \(known: train, val, test\)")
    found = read(path, parts={"train": "train", "test": ["test"]})
    assert rows(found) == {"train": [0], "test": [1]}
    assert found.notes == ("left out: 2 rows of ``, `unlabeled`",)
    fails(path, "`data.parts` names `f9`, and `.*` has the splits", parts={"train": "f9"})


def test_an_unknown_split_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", split=["train", "f1", "f0", "f1"])
    fails(path, r"row 1 of `.*` has the split `f1` \(known: .*, or `data\.parts=none`$")
    found = read(path, parts={"train": ["train", "f0"], "val": "f1"})
    assert rows(found) == {"train": [0, 2], "val": [1, 3]}


def test_a_column_of_a_usual_name_counts_where_it_holds_parts_alone(tmp_path: Path) -> None:
    parts = ["train", "test", "train", "test"]
    path = write(tmp_path / "a.parquet", subset=parts, phase=["new", "full", "new", "full"])
    found = read(path)
    assert rows(found) == {"train": [0, 2], "test": [1, 3]}
    assert found.notes == (f"column `subset` of `{path}` is the split",)
    moons = read(path, parts={"train": "full", "test": "new"})
    assert rows(moons) == {"test": [0, 2], "train": [1, 3]}
    fails(path, "no column `fold`.*`data.columns.split=NAME`", columns={"split": "fold"})
    write(path, subset=parts, usage=parts)
    fails(path, "has several columns `split`.*choose one with `data.columns.split=NAME`")
    assert rows(read(path, columns={"split": "usage"})) == {"train": [0, 2], "test": [1, 3]}


def test_names_of_files_that_tell_several_parts_go_first(tmp_path: Path) -> None:
    own = ["train", "train", "test", "val"]
    write(tmp_path / "train-0.parquet", split=own)
    assert rows(read(tmp_path)) == {"train": [0, 1], "test": [2], "val": [3]}, "files tell one"
    write(tmp_path / "test-0.parquet", split=["test"] * 4)
    found = read(tmp_path)
    assert rows(found) == {"test": [0, 1, 2, 3], "train": [0, 1, 2, 3]}
    (note,) = found.notes
    assert note.startswith("column `split` is not asked: the names of the files tell the parts;")
    asked = rows(read(tmp_path, columns={"split": "split"}))
    assert asked == {"test": [0, 1, 2, 3, 2], "train": [0, 1], "val": [3]}
    assert rows(read(tmp_path, parts={"train": "test"})) == {"train": [0, 1, 2, 3]}, "of a file"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list them")
def test_no_table_stays_open(tmp_path: Path) -> None:
    """A data set may have more of them than a process may open."""
    for number in range(5):
        write(tmp_path / f"a-{number}.parquet", split=["train", "test", "train", "test"])
    before = len(list(Path("/proc/self/fd").iterdir()))
    found = read(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(found.parts["train"]) == 10


def test_columns_that_are_taken_by_their_names_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", labels=[0, 0, 0, 0])
    found = read(path)
    assert [item.label for item in found.parts["whole"]] == KINDS
    assert found.notes == (f"column `label` of `{path}` is the label, and not `labels`",)
    assert read(path, columns={"label": "label"}).notes == ()
    table = pq.read_table(path).rename_columns(["img", "kind", "y"])
    pq.write_table(table, path)
    assert read(path).notes == (
        f"column `img` of `{path}` is the image",
        f"column `y` of `{path}` is the label",
    )


@pytest.mark.parametrize(("number", "names"), [(-2, 2), (2, 2), (-1, 0)])
def test_a_label_that_no_name_stands_for_is_refused(
    number: int, names: int, tmp_path: Path
) -> None:
    """-2 is no place from the end; -1 is no label."""
    path = write(tmp_path / "a.parquet", label=[0, 1, number, 0])
    (tmp_path / "names.txt").write_text("ant\nbee\n")
    told = f"{number}, and there are {names} names" if names else "`-1`, which is none"
    fails(path, f"row 2 of `.*` has the label {told}", classes=tmp_path / "names.txt")


def test_a_folder_that_datasets_saved_says_how_to_write_tables(tmp_path: Path) -> None:
    (tmp_path / "data-00000-of-00001.arrow").touch()
    fails(
        tmp_path, r"no `\.parquet` files, and its `\.arrow` files, .* `load_from_disk\(FOLDER\)\."
    )
