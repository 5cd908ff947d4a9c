"""Lists of labelled things: classes, digest, split, and folders of class folders."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from onlay.config.data import FilesConfig
from onlay.errors import DataError
from onlay.reading.class_folders import ClassFolders
from onlay.reading.listing import Item, Listing, classes_of, counts, digest, stratified, targets


def items(*labels: str) -> list[Item]:
    return [Item(Path(f"{i}.ply"), label, f"{i}") for i, label in enumerate(labels)]


def fails(call: Callable[[], object], text: str) -> None:
    with pytest.raises(DataError) as error:
        call()
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_a_source_that_is_a_number_is_no_file_that_happens_to_be_open(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    with path.open("wb", buffering=0) as file:
        before = digest(Listing([Item(file.fileno(), "x", "0")]))
        file.write(b"more")
        assert digest(Listing([Item(file.fileno(), "x", "0")])) == before


def test_the_digest_is_of_parts_names_labels_and_sizes(tmp_path: Path) -> None:
    """A file's size; values, shape and dtype of an array; nothing for what is not there."""
    (tmp_path / "a.png").write_bytes(b"12345")
    one, two = Item(tmp_path / "a.png", "ant", "a.png"), Item(Path("b"), "bee", "b")
    text = "test\tb\tbee\t\ntrain\ta.png\tant\t5\n"
    assert digest(Listing([one], (), [two])) == hashlib.sha256(text.encode()).hexdigest()
    base = digest(Listing([one, two]))
    (tmp_path / "other.png").write_bytes(b"54321")
    moved = [two, one._replace(source=tmp_path / "other.png")]
    assert digest(Listing(moved)) == base
    assert digest(Listing([one], [two])) != base
    assert digest(Listing([one, two._replace(label="ant")])) != base
    (tmp_path / "a.png").write_bytes(b"123456")
    assert digest(Listing([one, two])) != base
    cloud = np.arange(6, dtype=np.float32)
    seen = [cloud, cloud.copy(), cloud.reshape(2, 3), cloud.astype(np.int32), cloud + 1]
    digests = [digest(Listing([Item(array, "x", "0")])) for array in seen]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_counts_and_targets_are_in_the_order_of_the_classes() -> None:
    listing = Listing(items("bee", "ant", "bee"), test=items("ant"))
    assert counts(listing, ("bee", "ant")) == {
        "train": {"bee": 2, "ant": 1},
        "test": {"bee": 0, "ant": 1},
    }
    assert targets(listing.train, ("bee", "ant")) == [0, 1, 0]


def test_classes_are_sorted_or_given() -> None:
    assert classes_of(Listing(items("9" * 5000, "1")), None, "cloud")[0] == "1"
    listing = Listing(items("10", "9", "cup", "1"))
    assert classes_of(listing, None, "cloud") == ("1", "9", "10", "cup")
    assert classes_of(listing, ("cup", "1", "9", "10"), "cloud") == ("cup", "1", "9", "10")
    fails(lambda: classes_of(Listing([]), None, "cloud"), "there are no clouds to train on")
    fails(
        lambda: classes_of(listing, ("1", "cup"), "cloud"),
        "`0` has the label `10`, which is none of the 2 classes (`1`, `cup`)",
    )
    fails(
        lambda: classes_of(Listing(items("cup"), items("hat")), None, "cloud"),
        "class `hat` is in the validation part but not in the training part (`0`)",
    )


def test_a_stratified_split_keeps_the_shares_and_the_order() -> None:
    """A quarter of 8 and of 4: 2 and 1."""
    everything = items(*["ant"] * 8, *["bee"] * 4)
    kept, split_off = stratified(everything, 0.25, 0, noun="cloud")
    assert Counter(item.label for item in split_off) == {"ant": 2, "bee": 1}
    assert sorted(kept + split_off, key=everything.index) == everything
    assert kept == sorted(kept, key=everything.index)
    assert stratified(everything, 0.25, 0, noun="cloud") == (kept, split_off)
    assert stratified(everything, 0.25, 1, noun="cloud")[1] != split_off
    assert stratified(everything, 0, 0, noun="cloud") == (everything, [])
    fails(
        lambda: stratified(items("ant", "ant", "bee"), 1, 0, noun="cloud"),
        "class `bee` has a single cloud, which cannot be split",
    )
    fails(
        lambda: stratified(items("ant", "ant", "bee", "bee"), 0.8, 0, noun="cloud"),
        "4 of 4 clouds of 2 classes cannot be split off: a part needs one of each class at least,"
        " and 0 would stay",
    )


@pytest.fixture
def folders(tmp_path: Path) -> Callable[..., ClassFolders]:
    """`folders(paths)`: empty files below a folder, of which `.ply` and `.pcd` count."""

    def make(paths: Sequence[str]) -> ClassFolders:
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        return ClassFolders(tmp_path, {".ply", ".pcd"}, "cloud", "cup/1.ply")

    return make


def keys(listing: Listing) -> dict[str, list[str]]:
    return {part: [item.key for item in items] for part, items in listing.parts().items()}


def test_parts_are_folders(folders: Callable[..., ClassFolders]) -> None:
    found = folders(
        [
            *("train/cup/deep/2.PCD", "train/cup/1.ply", "train/cup/notes.txt"),
            *("train/hat/.hidden.ply", "train/hat/3.ply", "valid/hat/4.ply", "test/cup/5.ply"),
        ]
    )
    assert keys(found.listing(FilesConfig(name="x"))) == {
        "train": ["train/cup/1.ply", "train/cup/deep/2.PCD", "train/hat/3.ply"],
        "val": ["valid/hat/4.ply"],
        "test": ["test/cup/5.ply"],
    }


def test_folders_without_parts_are_split(folders: Callable[..., ClassFolders]) -> None:
    """A fifth of 10 and 10 to the test; a quarter of the rest, 8 and 8, to validation."""
    found = folders([f"{label}/{n}.ply" for label in ("cup", "train") for n in range(10)])
    listing = found.listing(FilesConfig(name="x", val_size=0.25))
    shares = {p: Counter(i.label for i in part) for p, part in listing.parts().items()}
    assert shares == {
        "train": {"cup": 6, "train": 6},
        "val": {"cup": 2, "train": 2},
        "test": {"cup": 2, "train": 2},
    }


def test_what_is_wrong_with_folders(folders: Callable[..., ClassFolders], tmp_path: Path) -> None:
    config = FilesConfig(name="x")
    fails(
        lambda: ClassFolders(tmp_path / "no", (), "cloud", "cup/1.ply").listing(config),
        f"there is no folder `{tmp_path / 'no'}`",
    )
    fails(
        lambda: folders([]).listing(config),
        f"`{tmp_path}` has no class folders (`{tmp_path.name}/cup/1.ply`)",
    )
    fails(
        lambda: folders(["cup/1.ply", "hat/1.txt"]).listing(config),
        f"the class folder `{tmp_path / 'hat'}` has no clouds",
    )
