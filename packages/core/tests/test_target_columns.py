"""Tables of several labels, and of numbers; and how such things are divided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onlay.config.data import TableConfig
from onlay.reading.judging import whole
from onlay.reading.label_tables import LabelTable
from onlay.reading.layouts import Layout, divided
from onlay.reading.listed import listed
from onlay.reading.listing import Item, Listing, Tags, targets
from onlay.reading.spreading import spread, traits
from onlay.testing.said import fails

Read = Callable[..., Layout]
TAGS = "path,label\n1,cat|red\n2,red | cat\n3,\n4,dog\n"
TICKS = "path,cat,red,w\n1,1,true,5\n2,0,No,5\n3,-1,,5\n4,1.0,FALSE,5\n"
NUMBERS = "path,age,height\n1,30,1.5\n2,-4,1e2\n3,0.5,+2\n"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """`read(text, **config)`: the layout of a table of that text."""

    def make(text: str, **config: Any) -> Layout:
        path = tmp_path / "t.csv"
        path.write_text(text, encoding="utf-8")
        return LabelTable(path, tmp_path, "image").layout(
            TableConfig(name="x", path=path, **config)
        )

    return make


def rows(listing: Listing, labels: tuple[str, ...]) -> list[list[float]]:
    return targets(listing.train, labels).tolist()


def test_several_labels_in_one_cell(read: Read) -> None:
    config = TableConfig(name="x", path=Path("t.csv"), targets="labels", val_size=0, test_size=0)
    listing = divided(read(TAGS, targets="labels"), config, "image")
    found = listed(listing, config, "image")
    assert found.labels == ("cat", "dog", "red")
    assert rows(listing, found.labels) == [[1, 0, 1], [1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert found.facts["counts"] == {"train": {"cat": 2, "dog": 1, "red": 2}}
    assert [item.label for item in listing.train] == ["cat|red", "cat|red", "", "dog"]
    given = listed(listing, config, "image", ("red", "cat", "dog", "owl"))
    assert rows(listing, given.labels)[0] == [1, 1, 0, 0]
    assert given.facts["notes"] == (
        "warning: no image to train on has `owl`, which cannot be learnt",
    )
    fails(lambda: listed(listing, config, "image", ("cat", "red")), "`4` has the label `dog`")


def test_another_separator_and_what_is_no_label(read: Read) -> None:
    layout = read('path,label\n1,"cat, red"\n', targets="labels", separator=",")
    assert layout.parts["whole"][0].target == Tags(frozenset({"cat", "red"}))
    fails(lambda: read("path,label\n1,cat\n2,nan\n", targets="labels"), "line 3 of ", "`nan`")


def test_one_class_stays_what_it_was(read: Read) -> None:
    """A class may be called `cat|red`."""
    layout = read("path,label\n1,cat|red\n2,cat\n")
    assert [item.label for item in layout.parts["whole"]] == ["cat|red", "cat"]
    assert layout.targets == "class"
    fails(lambda: read(TICKS, target_columns=("cat",)), "`data.target_columns` is for labels")


def test_a_column_for_each_label(read: Read) -> None:
    layout = read(TICKS, targets="labels", target_columns=("red", "cat"))
    config = TableConfig(name="x", path=Path("t.csv"), val_size=0, test_size=0)
    listing = divided(layout, config, "image")
    assert listed(listing, config, "image").labels == ("red", "cat")
    assert rows(listing, ("red", "cat")) == [[1, 1], [0, 0], [-1, -1], [0, 1]]
    assert [i.label for i in listing.train] == ["cat|red", "", "?cat|?red", "cat"]


def test_what_is_wrong_with_a_column_of_a_label(read: Read) -> None:
    fails(
        lambda: read(TICKS, targets="labels", target_columns="rest"),
        "line 2 of ", "has `5` in the column `w`, which must say whether",
    )  # fmt: skip
    fails(
        lambda: read(TICKS, targets="labels", target_columns=("cat", "owl")),
        "has no column `owl` (have: `path`, `cat`, `red`, `w`)",
    )
    fails(
        lambda: read("path,cat,cat\n1,1,0\n", targets="labels", target_columns=("cat",)),
        "has several columns `cat`",
    )
    fails(lambda: read("path\n1\n", targets="labels", target_columns="rest"), "no column beside")


def test_numbers(read: Read) -> None:
    layout = read(NUMBERS, targets="numbers", target_columns="rest")
    config = TableConfig(name="x", path=Path("t.csv"), val_size=0, test_size=0)
    listing = divided(layout, config, "image")
    found = listed(listing, config, "image")
    assert found.labels == ("age", "height")
    assert found.facts == {}
    assert rows(listing, ("height", "age")) == [[1.5, 30], [100, -4], [2, 0.5]]
    alone = read("path,target\n1,7\n", targets="numbers")
    assert (alone.names, alone.parts["whole"][0].target) == (("target",), {"target": 7})


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("", "has no number in the column `age`"),
        ("nan", "has `nan` in the column `age`: fill it in"),
        ("inf", "has `inf` in the column `age`, which is not finite"),
        ("1e39", "which is not finite"),
        ("old", "has `old` for a number"),
        ("1_0", "has `1_0` for a number"),
        ('"1,5"', "write a point, no comma"),
    ],
)
def test_numbers_that_are_none(read: Read, cell: str, text: str) -> None:
    table = f"path,age\n1,3\n2,{cell}\n"
    fails(lambda: read(table, targets="numbers", target_columns=("age",)), "line 3 of ", text)
    if cell == "":
        fails(lambda: read("path,label\n1,2|3\n", targets="numbers"), "`data.target_columns`")


def test_rows_without_a_part_are_not_read(read: Read) -> None:
    table = "path,label,split\n1,3,train\n2,,unlabeled\n"
    assert list(read(table, targets="numbers").parts) == ["train"]


def test_every_part_has_its_share_of_each_label() -> None:
    """40 of `a`, of which 8 are `b`, too, and 10 of nothing: a fifth is 8, 8/5 and 2."""
    own = [frozenset("ab")] * 8 + [frozenset("a")] * 32 + [frozenset()] * 10
    kept, off = spread(own, (40, 10), 0)
    assert sorted(kept + off) == list(range(50))
    tally = Counter(label for index in off for label in own[index])
    assert (len(off), tally["a"], tally["b"]) == (10, 8, 2)
    assert spread(own, (40, 10), 0) == [kept, off]
    assert spread(own, (40, 10), 1) != [kept, off]


def test_every_part_has_its_share_of_small_and_large_numbers() -> None:
    """Of 0 to 99 a fifth has two of each ten."""
    items = [Item(None, str(n), str(n), {"x": float(n)}) for n in range(100)]
    _, off = spread(traits(items), (80, 20), 0)
    assert Counter(index // 10 for index in off) == dict.fromkeys(range(10), 2)
    config = TableConfig(name="x", path=Path("t.csv"), val_size=0, test_size=99.0 / 100)
    assert len(divided(Layout({"whole": items}), config, "image").test) == 99
    none = config.model_copy(update={"test_size": 100})
    fails(lambda: divided(Layout({"whole": items}), none, "image"), "none would stay")


def judged(layout: Layout, labels: tuple[str, ...]) -> Any:
    config = TableConfig(name="x", path=Path("t.csv"))
    return whole(layout, config, labels, "image", lambda items: targets(items, labels))


def test_other_data_are_judged_in_the_models_order(read: Read) -> None:
    """Nobody knows of a label for which the other table has no column."""
    ticks = read(TICKS, targets="labels", target_columns=("cat",))
    assert judged(ticks, ("red", "cat")).everything.tolist() == [
        [-1, 1],
        [-1, 0],
        [-1, -1],
        [-1, 1],
    ]
    tags = judged(read(TAGS, targets="labels"), ("red", "dog", "cat"))
    assert (tags.everything[0].tolist(), tags.occurring) == ([1, 0, 1], 3)
    fails(lambda: judged(read(TAGS, targets="labels"), ("red", "cat")), "the data have `dog` (`4`)")
    numbers = read(NUMBERS, targets="numbers", target_columns="rest")
    assert judged(numbers, ("height", "age")).everything.tolist()[0] == [1.5, 30]
    fails(lambda: judged(numbers, ("age",)), "the numbers `age`, `height`, and this run has `age`")
    alone = read("path,label\n1,7\n", targets="numbers")
    assert judged(alone, ("years",)).everything.tolist() == [[7]]
