"""None"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onlay.config.data import FilesConfig
from onlay.reading.class_folders import ClassFolders
from onlay.reading.finding import find
from onlay.reading.labels import check_distinct, missing
from onlay.reading.layouts import Layout, divided
from onlay.reading.listed import listed
from onlay.reading.listing import Item, Listing, digest
from onlay.reading.part_names import assigned
from onlay.testing.said import fails


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """`make("a/1.jpg b/2.jpg")`: a folder of files that hold their own names."""

    def write(paths: str) -> Path:
        for path in paths.split():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(path)
        return tmp_path

    return write


def layout(root: Path, known: tuple[str, ...] = (), **config: Any) -> Layout:
    folders = ClassFolders(root, {".jpg"}, "image", "cat/1.jpg")
    return folders.layout(FilesConfig(name="x", **config), known)


def found(root: Path, **config: Any) -> dict[str, dict[str, int]]:
    """How many of each class each part has."""
    parts = layout(root, **config).parts
    return {part: dict(Counter(item.label for item in items)) for part, items in parts.items()}


# --- which files count ----------------------------------------------------------------------------


def test_hidden_names_at_every_depth_and_what_is_left_out(make: Callable[..., Path]) -> None:
    root = make(
        "a/1.jpg a/b/c/2.JPG a/._1.jpg a/.ipynb_checkpoints/1-checkpoint.jpg __MACOSX/a/._1.jpg"
        " a/@eaDir/1.jpg/thumb.jpg a/Thumbs.db .git/x.jpg a/3.heic a/4.HEIC a/readme b/x.txt"
    )
    (root / "b" / "dir.jpg").mkdir()
    os.mkfifo(root / "b" / "pipe.jpg")
    (root / "b" / "up").symlink_to(root)
    (root / "gone.jpg").symlink_to(root / "nowhere")
    seen = find(root, {".jpg"})
    assert [str(path.relative_to(root)) for path in seen.files] == [
        "a/1.jpg",
        "a/b/c/2.JPG",
        "gone.jpg",
    ]
    assert seen.notes == (
        "left out: 2 .heic, 1 without a suffix, 1 that are no plain files, 1 .txt",
    )


def test_linked_class_folders_are_followed(make: Callable[..., Path]) -> None:
    root = make("data/a/1.jpg data/b/2.jpg elsewhere/deep/3.jpg")
    (root / "data" / "c").symlink_to(root / "elsewhere")
    assert found(root / "data") == {"whole": {"a": 1, "b": 1, "c": 1}}


# --- names of parts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("train Val TEST", "train val test"),
        ("Training validation Testing", "train val test"),
        ("train dev", "train val"),
        ("train holdout", "train val"),
        ("train valid hold-out", "train val test"),
        ("training validation evaluation", "train val test"),
        ("train eval test", "train val test"),
        ("trainset testset", "train test"),
        ("train_set test-images", "train test"),
        ("train2017 val2017", "train val"),
        ("train test1", "train test"),
        ("asl_alphabet_train asl_alphabet_test", "train test"),
        ("TrainingSet ValidationData", "train val"),
    ],
)
def test_names_of_parts(names: str, parts: str) -> None:
    assert list(assigned(names.split()).values()) == parts.split()


def test_names_that_are_no_parts() -> None:
    classes = ["tram", "trains", "vale", "tester", "data", "images", "set", "toy_train", "2017", ""]
    assert assigned(classes) == {}


def test_parts_in_other_spellings(make: Callable[..., Path]) -> None:
    root = make("train/a/1.jpg train/b/2.jpg Val/a/3.jpg hold-out/b/4.jpg hold-out/b/5.jpg")
    assert found(root) == {"train": {"a": 1, "b": 1}, "val": {"a": 1}, "test": {"b": 2}}
    assert f"`{root}/hold-out` is the part `test`" in layout(root).notes


def test_folders_beside_parts(make: Callable[..., Path]) -> None:
    root = make("train/a/1.jpg train/b/2.jpg night/a/3.jpg")
    fails(lambda: layout(root), f"`{root}` has `night` beside `train`", "`data.parts`")
    assert found(root, parts={"train": "train", "test": "night"}) == {
        "train": {"a": 1, "b": 1},
        "test": {"a": 1},
    }
    assert found(root, parts={"train": ["train", "night"]}) == {"train": {"a": 2, "b": 1}}
    only = layout(root, parts={"train": "train"})
    assert only.notes == (f"left out: `night` in `{root}`, which is no part",)
    assert found(root, parts="none") == {"whole": {"night": 1, "train": 2}}
    fails(lambda: layout(root, parts={"val": "dusk"}), "names the folder `dusk`", "`night`")


def test_class_folders_beside_a_part(make: Callable[..., Path]) -> None:
    root = make("train/a/1.jpg a/2.jpg b/3.jpg")
    fails(lambda: layout(root), f"`{root}` has `a`, `b` beside `train`")


def test_two_names_for_one_part(make: Callable[..., Path]) -> None:
    root = make("train/a/1.jpg val/a/2.jpg dev/a/3.jpg")
    fails(lambda: layout(root), "`dev`, `val`", "may both be the part `val`")


def test_parts_without_class_folders(make: Callable[..., Path]) -> None:
    """A test without labels is left out; nothing but such folders is no list of classes."""
    root = make("train/a/1.jpg train/b/2.jpg test/3.jpg test/4.jpg pred/5.jpg")
    assert found(root) == {"train": {"a": 1, "b": 1}}
    assert layout(root).notes == (
        f"left out: `pred` in `{root}`, which is no part",
        f"left out: 2 images in `{root}/test`, in no class folder",
    )
    flat = make("flat/train/1.jpg flat/test/2.jpg") / "flat"
    fails(lambda: layout(flat), "`test`, `train`", "no class folders", "`data.parts=none`")
    assert found(flat, parts="none") == {"whole": {"test": 1, "train": 1}}


def test_wrappers_are_looked_through(make: Callable[..., Path]) -> None:
    root = make("zip/photos/a/1.jpg zip/photos/b/2.jpg zip/__MACOSX/photos/a/._1.jpg zip/notes.md")
    assert found(root / "zip") == {"whole": {"a": 1, "b": 1}}
    assert layout(root / "zip").notes == (
        "left out: 1 .md",
        f"read `{root}/zip/photos`, the only folder with images in `{root}/zip`",
    )
    assert layout(root / "zip").parts["whole"][0].key == "photos/a/1.jpg"
    intel = make(
        "i/seg_train/seg_train/a/1.jpg i/seg_train/seg_train/b/2.jpg i/seg_test/seg_test/a/3.jpg"
    )
    assert found(intel / "i") == {"train": {"a": 1, "b": 1}, "test": {"a": 1}}


def test_a_lone_folder_is_a_class_where_it_is_known(make: Callable[..., Path]) -> None:
    root = make("n/a/left/1.jpg n/a/right/2.jpg t/train/a/x/1.jpg t/train/b/2.jpg t/test/a/x/3.jpg")
    assert found(root / "n") == {"whole": {"left": 1, "right": 1}}
    assert set(layout(root / "n", ("a", "b")).parts["whole"]) == {
        Item(root / "n/a/left/1.jpg", "a", "a/left/1.jpg"),
        Item(root / "n/a/right/2.jpg", "a", "a/right/2.jpg"),
    }
    assert found(root / "t") == {"train": {"a": 1, "b": 1}, "test": {"a": 1}}


def test_parts_below_classes(make: Callable[..., Path]) -> None:
    root = make("chair/train/1.jpg chair/test/2.jpg desk/train/3.jpg desk/test/4.jpg")
    assert found(root) == {"train": {"chair": 1, "desk": 1}, "test": {"chair": 1, "desk": 1}}
    make("desk/5.jpg")
    fails(lambda: layout(root), "`test`, `train`", "others do not")
    assert found(root, parts="none") == {"whole": {"chair": 2, "desk": 3}}


def test_loose_files_are_told(make: Callable[..., Path]) -> None:
    root = make("a/1.jpg b/2.jpg 3.jpg")
    assert layout(root).notes == (f"left out: 1 image in `{root}`, in no class folder",)


def test_a_test_alone_is_nothing_to_train_on(make: Callable[..., Path]) -> None:
    root = make("test/a/1.jpg test/b/2.jpg")
    assert found(root) == {"test": {"a": 1, "b": 1}}
    folders = ClassFolders(root, {".jpg"}, "image", "cat/1.jpg")
    fails(lambda: folders.listing(FilesConfig(name="x")), "no images to train on", "test")


def test_a_lone_part_that_the_configuration_names(make: Callable[..., Path]) -> None:
    root = make("zip/night/a/1.jpg zip/night/b/2.jpg")
    assert found(root, parts={"train": "night"}) == {"train": {"a": 1, "b": 1}}
    with pytest.raises(ValueError, match="`night` is named for two parts"):
        layout(root, parts={"train": "night", "test": "night"})


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two", "how"),
    [
        ("Cat", "cat", "upper and lower case"),
        ("0", "0.0", "how a number is written"),
        ("1", "01", "how a number is written"),
        ("caf\u00e9", "cafe\u0301", "the Unicode form of their letters"),
        ("hot dog", "hot  dog", "blanks"),
    ],
)
def test_nearly_equal_classes(one: str, two: str, how: str) -> None:
    fails(lambda: check_distinct([one, two, "x"]), f"`{one}`", f"`{two}`", how, "`data.labels`")
    check_distinct([one, two], listed=[one, two])


def test_names_of_classes_that_are_no_text(make: Callable[..., Path], tmp_path: Path) -> None:
    fails(lambda: check_distinct(["a\nb", "c"]), r"the class 'a\nb' has a line break")
    root = make("a/1.jpg b/2.jpg")
    os.mkdir(os.fsencode(root) + b"/\xff")
    (root / os.fsdecode(b"\xff") / "3.jpg").touch()
    (root / "a" / "loop").symlink_to(root / "a" / "loop")
    every = [item for items in layout(root).parts.values() for item in items]
    assert len(digest(Listing(every))) == 64
    fails(lambda: listed(Listing(every), FilesConfig(name="x"), "image"), r"'\udcff'", "UTF-8")


def test_classes_that_differ() -> None:
    check_distinct(
        ["1", "10", "1.5", "-1", "9007199254740993", "9007199254740992", "a", "b", "a b"]
    )
    check_distinct(["cat", "cat"])
    assert [x for x in ("nan", "NaN", "", "None", "<NA>", "none", "naan", "0") if missing(x)] == [
        *("nan", "NaN", "", "None", "<NA>"),
    ]


def test_labels_are_checked_over_all_parts() -> None:
    listing = Listing([Item("1", "cat", "1")], [Item("2", "Cat", "2")])
    fails(lambda: listed(listing, FilesConfig(name="x"), "image"), "`Cat` and `cat`")


def test_a_test_part_with_a_seed_of_its_own_is_one_for_all_splits(
    make: Callable[..., Path],
) -> None:
    """Without one it goes with `split_seed`, and the facts of the data say so."""
    root = make(" ".join(f"{c}/{n}.jpg" for c in "ab" for n in range(20)))

    def parts(**config: Any) -> Listing:
        settings = FilesConfig(name="x", test_size=0.25, **config)
        return divided(layout(root, **config), settings, "image")

    def keys(listing: Listing) -> list[str]:
        return [item.key for item in listing.test]

    assert keys(parts(split_seed=0)) != keys(parts(split_seed=1))
    one, two = (parts(split_seed=seed, test_seed=5) for seed in (0, 1))
    assert keys(one) == keys(two)
    assert [item.key for item in one.val] != [item.key for item in two.val]
    assert keys(one) == keys(parts(split_seed=5))
    config = FilesConfig(name="x")
    assert listed(parts(split_seed=1), config, "image").facts["test_varies"]
    assert "test_varies" not in listed(one, config, "image").facts
