"""Tables of Parquet as a data set: Hugging Face's layout, labels, groups of rows, what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from onlay.data import Blocks, Splits
from onlay.errors import DataError, OnlayError
from onlay.reading import parquet_rows
from onlay.testing.datasets.case import alike
from onlay_image.data import folder, parquet
from onlay_image.data.config import ImageFolderConfig, ParquetConfig
from onlay_image.data.samples import draw, png

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SPEC = {
    "img_size": [8, 8],
    "crop_pct": 1.0,
    "interpolation": "bicubic",
    "mean": [0.0, 0.0, 0.0],
    "std": [1.0, 1.0, 1.0],
}
NAMES = ["cat", "dog"]


def noted(names: Sequence[str]) -> dict[bytes, bytes]:
    """The note of the columns as `datasets` writes it."""
    features = {"picture": {"_type": "Image"}, "kind": {"names": names, "_type": "ClassLabel"}}
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def write(path: Path, numbers: Sequence[int], *, group: int = 3, names: Any = NAMES) -> None:
    """A picture and a class, in turn, for each number; the dog's are stored without a name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": png(n), "path": None if n % 2 else f"{n}.png"} for n in numbers]
    columns = {"picture": pa.array(cells), "kind": pa.array([n % 2 for n in numbers], pa.int64())}
    table = pa.table(columns).replace_schema_metadata(noted(names) if names else None)
    pq.write_table(table, path, row_group_size=group)


def read(path: Path, **settings: Any) -> Splits:
    return parquet.build(ParquetConfig(path=path, **settings), SPEC, 0)


def test_rows_are_the_images_of_the_same_files(tmp_path: Path) -> None:
    """Hugging Face's names of files and columns, in this process and in others."""
    for number in range(7):
        draw(tmp_path / "folder" / "train" / NAMES[number % 2] / f"{number}.png", number)
    write(tmp_path / "hf" / "data" / "train-00000-of-00001-0a1b2c.parquet", range(7))
    write(tmp_path / "hf" / "data" / "test-00000-of-00001.parquet", range(7, 11))
    loose = folder.build(ImageFolderConfig(path=tmp_path / "folder", val_size=0), SPEC, 0)
    rows = read(tmp_path / "hf", val_size=0)
    assert rows.labels == ("cat", "dog")
    assert (len(rows.train), rows.validation, len(rows.test)) == (7, None, 4)
    for place, number in enumerate([0, 2, 4, 6, 1, 3, 5]):  # of class folders
        assert alike(rows.train[number], loose.train[place])
    rows.train[0]  # a group is kept, and left behind in the loader's processes
    loader = DataLoader(rows.train, batch_size=3, num_workers=2)
    both = [torch.cat([x for x, _ in batches]) for batches in (loader, DataLoader(rows.train))]
    assert torch.equal(*both)


def test_a_table_that_is_left_out_is_told(tmp_path: Path) -> None:
    write(tmp_path / "train-00000-of-00003.parquet", range(4))
    write(tmp_path / "train-00001-of-00003.parquet", range(4, 8))
    told = "warning: number 2 of `train` is not there, beside `train-00000-of-00003.parquet` (1 mi"
    assert any(note.startswith(told) for note in read(tmp_path, val_size=0).facts["notes"])


def test_groups_of_rows_are_blocks(tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet", range(7))
    write(tmp_path / "train-1.parquet", range(10, 14))
    assert read(tmp_path, val_size=0, window=2).train.blocks == Blocks((3, 3, 1, 3, 1), 2)
    assert read(tmp_path, val_size=0, order="global").train.blocks is None


def test_the_groups_that_were_asked_for_last_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "train-0.parquet", range(9))
    train = read(tmp_path, val_size=0).train
    monkeypatch.setattr(parquet_rows, "_groups", groups := parquet_rows._Groups())
    asked: list[int] = []
    one = parquet_rows._read(train.sources[0].table, 0).nbytes
    monkeypatch.setattr(parquet_rows, "KEPT_BYTES", int(2.5 * one))
    own = parquet_rows._read
    monkeypatch.setattr(parquet_rows, "_read", lambda t, g: asked.append(g) or own(t, g))
    for number in [0, 1, 4, 2, 8, 3, 5, 0]:
        train[number]
        train.kept.clear()
    assert asked == [0, 1, 2, 1, 0]
    assert [key[-1] for key in groups.kept] == [1, 0]


def test_columns_may_be_called_otherwise_and_hold_paths_or_bytes(tmp_path: Path) -> None:
    for number in range(2):
        draw(tmp_path / "pictures" / f"{number}.png", number)
    rows = {"file": ["0.png", "1.png"], "raw": [png(0), png(1)], "species": ["ant", "bee"]}
    pq.write_table(pa.table(rows), tmp_path / "train.parquet")
    columns = {"image": "file", "label": "species"}
    paths = read(tmp_path, columns=columns, root=tmp_path / "pictures", val_size=0)
    held = read(tmp_path, columns={**columns, "image": "raw"}, val_size=0)
    assert paths.labels == held.labels == ("ant", "bee")
    assert all(alike(paths.train[n], held.train[n]) for n in range(2))


def test_numbers_are_named_by_a_file_where_the_table_does_not(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", range(4), names=None)
    columns = {"image": "picture", "label": "kind"}
    assert read(tmp_path, columns=columns, val_size=0).labels == ("0", "1")
    (tmp_path / "names.txt").write_text("zebra\nant\n")
    named = read(tmp_path, columns=columns, val_size=0, classes=tmp_path / "names.txt")
    assert named.labels == ("zebra", "ant")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _unlabelled(path: Path) -> None:
    pq.write_table(pa.table({"image": [png(0)], "label": [-1]}), path)


def _two_kinds(path: Path) -> None:
    pq.write_table(pa.table({"image": [5], "label": ["a"]}), path)


def _without(path: Path) -> None:
    pq.write_table(pa.table({"pixels": [png(0)], "label": ["a"]}), path)


def _empty_cell(path: Path) -> None:
    cells = pa.array(
        [{"bytes": None, "path": None}], pa.struct({"bytes": pa.binary(), "path": pa.string()})
    )
    pq.write_table(pa.table({"image": cells, "label": ["a"]}), path)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_cut, r"the table `.*train\.parquet` cannot be read: it is cut short, damaged or no"),
        (_unlabelled, r"row 0 of `.*train\.parquet` has the label `-1`, which is none"),
        (_two_kinds, r"the column `image` of `.*` holds int64, and neither bytes nor paths"),
        (_without, r"has no column `image` \(have: `pixels`, `label`\); choose one with"),
        (_empty_cell, r"`.*train\.parquet: row 0` has neither bytes nor a path"),
    ],
)
def test_what_is_wrong_is_named(harm: Any, told: str, tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", range(4))
    harm(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=told) as caught:
        read(tmp_path, val_size=0)
    assert "\n" not in str(caught.value)


def test_a_table_that_changes_while_it_is_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", range(4))
    train = read(tmp_path, val_size=0).train
    parquet_rows._groups.kept.clear()
    write(tmp_path / "train.parquet", range(5))
    with pytest.raises(DataError, match=r"train\.parquet` changed since it was listed"):
        train[0]


def test_without_pyarrow_one_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "train.parquet", range(4))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(OnlayError, match=r"^Parquet needs `pyarrow`: .*onlay\[parquet\]"):
        read(tmp_path)
