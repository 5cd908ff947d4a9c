"""The same file in two parts, or with two labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from listed_items import item

from onlay.reading.duplicates import settled
from onlay.reading.listing import Item, Listing
from onlay.testing.said import fails


@pytest.fixture
def repeats(tmp_path: Path) -> Listing:
    """`a` is in training twice and in the test; `c` is in validation and the test; `e` and `f` are
    one file; the size of `x` is that of `a`. `g` and `h` have two labels."""
    long = "x" * 30_000
    (tmp_path / "f").symlink_to(tmp_path / "e")
    one = [("a", "cat", "11"), ("b", "cat", "11"), ("e", "cat", "22222"), ("x", "cat", "12")]
    one += [("g", "cat", long + "1" + long), ("h", "dog", long + "1" + long)]
    one += [("i", "dog", "i" * 30_000 + "1" + long), ("y", "dog", "")]
    two, three = [("c", "cat", "3")], [("d", "cat", "11"), ("k", "cat", "3"), ("z", "cat", "")]
    three += [("j", "dog", "i" * 30_000 + "2" + long)]
    train, val, test = ([item(tmp_path, *row) for row in rows] for rows in (one, two, three))
    return Listing(train, val, [*test, Item(tmp_path / "f", "cat", "f")])


def kept(listing: Listing) -> dict[str, str]:
    return {part: "".join(i.key for i in items) for part, items in listing.parts().items()}


TWO_PARTS = "3 images are in two parts (`a`, train and `d`, test)"
TWO_LABELS = "one image is there with two labels (`g`, cat and `h`, dog)"


def test_duplicates_are_told_dropped_or_refused(repeats: Listing) -> None:
    told = settled(repeats, "warn", "image")
    assert kept(told) == kept(repeats)
    assert [note.split(";")[0] for note in told.notes] == [
        f"warning: {TWO_PARTS}",
        f"warning: {TWO_LABELS}",
    ]
    dropped = settled(repeats, "drop", "image")
    assert kept(dropped) == {"train": "xiy", "val": "", "test": "dkzjf"}
    assert dropped.notes == (f"left out: {TWO_PARTS}", f"left out: {TWO_LABELS}")
    fails(lambda: settled(repeats, "refuse", "image"), TWO_PARTS, TWO_LABELS, "`data.duplicates`")


def test_one_path_in_two_spellings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onlay.reading.duplicates.COMPARED_UP_TO", 1)
    (tmp_path / "a").touch()
    other = Path(f"{tmp_path}/./sub/../a")
    (tmp_path / "sub").mkdir()
    listing = Listing([Item(tmp_path / "a", "x", "a")], (), [Item(other, "x", "./a")])
    assert "one image is in two parts" in settled(listing, "warn", "image").notes[0]


def test_arrays_are_compared_by_their_values() -> None:
    cloud = np.arange(6.0).reshape(2, 3)
    other = [Item(array, "x", str(n)) for n, array in enumerate((cloud.copy(), cloud + 1, cloud.T))]
    dropped = settled(Listing([*other], (), [Item(cloud, "x", "t")]), "drop", "cloud")
    assert kept(dropped) == {"train": "12", "val": "", "test": "t"}
