"""A folder of class folders, or a CSV file: parts, labels, and what is wrong in one sentence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from small_pictures import GREYS, SPEC, class_folders, draw

from onlay.data import Splits
from onlay.testing.said import fails
from onlay_image.data import csv_file, folder
from onlay_image.data.config import (
    ImageCsvConfig,
    ImageFolderConfig,
    ImagePreprocess,
)


def greys(splits: Splits, part: str) -> Counter[str]:
    """How many images of each class a part has, by looking at the pixels."""
    own = getattr(splits, part)
    seen: Counter[str] = Counter()
    for index in range(len(own)):
        pixels, target = own[index]
        assert pixels.shape == (3, 8, 8)
        label = splits.labels[target]
        assert round(pixels.mean().item() * 255) == GREYS[label]
        seen[label] += 1
    return seen


def in_folder(path: Path, **kwargs: Any) -> Splits:
    return folder.build(ImageFolderConfig(path=path, **kwargs), SPEC, 0)


def test_a_stratified_split(tmp_path: Path) -> None:
    """20 % of 20, 10, 10 to the test, 4, 2, 2; then 8 of the rest, 16, 8, 8, to validation."""
    class_folders(tmp_path, {"ant": 20, "bee": 10, "cat": 10})
    splits = in_folder(tmp_path, val_size=8)
    assert splits.labels == ("ant", "bee", "cat")
    assert greys(splits, "test") == {"ant": 4, "bee": 2, "cat": 2}
    assert greys(splits, "validation") == {"ant": 4, "bee": 2, "cat": 2}
    assert greys(splits, "train") == {"ant": 12, "bee": 6, "cat": 6}
    assert splits.facts["counts"] == {
        "train": {"ant": 12, "bee": 6, "cat": 6},
        "validation": {"ant": 4, "bee": 2, "cat": 2},
        "test": {"ant": 4, "bee": 2, "cat": 2},
    }
    files = [set(getattr(splits, part).sources) for part in ("train", "validation", "test")]
    assert len(set.union(*files)) == sum(map(len, files)) == 40


def test_the_split_hangs_on_its_own_seed(tmp_path: Path) -> None:
    class_folders(tmp_path, {"ant": 20, "bee": 20})
    config = ImageFolderConfig(path=tmp_path)
    first, other_training = (folder.build(config, SPEC, seed) for seed in (0, 1))
    assert first.digest == other_training.digest
    assert first.train.sources == other_training.train.sources
    assert in_folder(tmp_path, split_seed=1).digest != first.digest


def test_parts_as_folders(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"ant": 3, "bee": 2})
    class_folders(tmp_path / "valid", {"bee": 1})
    class_folders(tmp_path / "test", {"ant": 2})
    splits = in_folder(tmp_path)
    assert greys(splits, "train") == {"ant": 3, "bee": 2}
    assert greys(splits, "validation") == {"bee": 1}
    assert greys(splits, "test") == {"ant": 2}


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for label in ("train", "tram"):
        for number in range(5):
            draw(tmp_path / label / f"{number}.png", 0)
    splits = in_folder(tmp_path, test_size=2, val_size=0)
    assert splits.labels == ("train", "tram")
    assert len(splits.train) == 8


def test_validation_is_split_off_training_never_off_the_test(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"ant": 10, "bee": 10})
    class_folders(tmp_path / "test", {"ant": 5, "bee": 5})
    splits = in_folder(tmp_path, val_size=0.2)
    assert greys(splits, "train") == {"ant": 8, "bee": 8}
    assert greys(splits, "validation") == {"ant": 2, "bee": 2}
    assert greys(splits, "test") == {"ant": 5, "bee": 5}
    assert in_folder(tmp_path, val_size=0).validation is None


def test_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    fails(lambda: in_folder(tmp_path / "absent"), "there is no folder", "absent")
    (tmp_path / "labels.csv").write_text("path,label\n")
    fails(lambda: in_folder(tmp_path / "labels.csv"), "is a file, and no folder of classes")
    fails(lambda: in_folder(tmp_path), "has no class folders")
    class_folders(tmp_path, {"ant": 4, "bee": 4})
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").touch()
    fails(lambda: in_folder(tmp_path), f"the class folder `{tmp_path / 'cat'}` has no images")
    draw(tmp_path / "cat" / "0.png", 240)
    fails(lambda: in_folder(tmp_path), "class `cat` has a single image, which cannot be split")
    draw(tmp_path / "cat" / "1.png", 240)
    fails(
        lambda: in_folder(tmp_path, test_size=2), "2 of 10 images of 3 classes cannot be split off"
    )
    (tmp_path / "ant" / "0.png").write_bytes(b"\x89PNG no more")
    fails(lambda: in_folder(tmp_path, test_size=3, val_size=0), f"`{tmp_path / 'ant' / '0.png'}`")


def test_a_class_that_only_validation_has(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"ant": 2, "bee": 2})
    class_folders(tmp_path / "val", {"ant": 1, "cat": 1})
    fails(
        lambda: in_folder(tmp_path),
        "class `cat` is in the validation part but not in the training part (`val/cat/0.png`)",
    )


def test_numbers_are_in_their_own_order(tmp_path: Path) -> None:
    for label in ("10", "9", "1"):
        for number in range(2):
            draw(tmp_path / "train" / label / f"{number}.png", 0)
    assert in_folder(tmp_path, val_size=0).labels == ("1", "9", "10")


# --- CSV ------------------------------------------------------------------------------------------


def csv_of(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def in_csv(path: Path, **kwargs: Any) -> Splits:
    return csv_file.build(ImageCsvConfig(path=path, **kwargs), SPEC, 0)


def test_a_csv_with_splits(tmp_path: Path) -> None:
    class_folders(tmp_path, {"ant": 3, "bee": 3})
    rows = [
        "split,path,label",
        *("train,ant/0.png,ant", "train,bee/0.png,bee", "train,ant/1.png,ant"),
        *("validation,bee/1.png,bee", "test,ant/2.png,ant", "test,bee/2.png,bee"),
    ]
    path = csv_of(tmp_path / "all.csv", "\ufeff" + "\n".join(rows))
    splits = in_csv(path)
    assert greys(splits, "train") == {"ant": 2, "bee": 1}
    assert greys(splits, "validation") == {"bee": 1}
    assert greys(splits, "test") == {"ant": 1, "bee": 1}
    assert in_csv(path, labels=("bee", "ant")).labels == ("bee", "ant")


def test_a_csv_without_splits_and_with_another_root(tmp_path: Path) -> None:
    class_folders(tmp_path / "pictures", {"ant": 10, "bee": 10})
    rows = [f"{label}/{number}.png,{label}" for label in ("ant", "bee") for number in range(10)]
    path = csv_of(tmp_path / "all.csv", "path,label\n" + "\n".join(rows))
    splits = in_csv(path, root=tmp_path / "pictures", val_size=0.25)
    assert greys(splits, "test") == {"ant": 2, "bee": 2}
    assert greys(splits, "validation") == {"ant": 2, "bee": 2}
    assert greys(splits, "train") == {"ant": 6, "bee": 6}


def test_what_is_wrong_with_a_csv(tmp_path: Path) -> None:
    class_folders(tmp_path, {"ant": 3, "bee": 3})
    fails(lambda: in_csv(tmp_path / "absent.csv"), "there is no file", "absent.csv")
    fails(lambda: in_csv(tmp_path), "is a folder, and no table: name a data set for it")
    path = tmp_path / "bad.csv"
    csv_of(path, "picture,label\na.png,ant\n")
    fails(lambda: in_csv(path), "has no column `path` (have: `picture`, `label`)", "`data.columns")
    csv_of(path, "path,label,split\nant/0.png,ant,train\nbee/0.png,bee,no\n")
    fails(lambda: in_csv(path), f"line 3 of `{path}` has the split `no` (known: train, val, test)")
    csv_of(path, "path,label\nant/0.png,\n")
    fails(lambda: in_csv(path), f"line 2 of `{path}` has no label")
    csv_of(path, "path,label,split\nant/0.png,ant,train\nant/1.png,cow,train\n")
    fails(
        lambda: in_csv(path, labels=("ant", "bee"), val_size=0),
        "`ant/1.png` has the label `cow`, which is none of the 2 classes (`ant`, `bee`)",
    )
    csv_of(path, "path,label,split\nant/0.png,ant,train\nbee/1.png,bee,val\n")
    fails(
        lambda: in_csv(path), "class `bee` is in the validation part but not in the training part"
    )
    csv_of(path, "path,label,split\nant/0.png,ant,train\nant/9.png,ant,val\n")
    fails(lambda: in_csv(path), f"there is no image `{tmp_path / 'ant' / '9.png'}`")
    csv_of(path, "path,label,split\nant/0.png,ant,test\n")
    fails(lambda: in_csv(path, val_size=0), "there are no images to train on")


# --- all of it, for a finished model --------------------------------------------------------------


def test_all_of_a_folder_or_a_table_is_judged(tmp_path: Path) -> None:
    """Some of a model's classes, in its own order; pictures are prepared without chance."""
    class_folders(tmp_path / "test", {"bee": 2, "ant": 1})
    labels = ("cat", "bee", "ant")
    preprocess = ImagePreprocess(augment="flip")
    config = ImageFolderConfig(path=tmp_path, preprocess=preprocess)
    found = folder.whole(config, SPEC, labels)
    assert [found.everything[i][1] for i in range(3)] == [2, 1, 1]
    assert found.everything.chance is None
    assert list(found.parts) == ["test"]
    assert (found.occurring, found.digest) == (2, "")
    path = csv_of(tmp_path / "new.csv", "file_name;class\ntest/bee/0.png; bee\n")
    table = csv_file.whole(ImageCsvConfig(path=path), SPEC, labels)
    pixels, target = table.everything[0]
    assert (round(pixels.mean().item() * 255), labels[target]) == (GREYS["bee"], "bee")
    fails(lambda: folder.whole(config, SPEC, ("cat", "bee")), "`ant`", "does not know")
