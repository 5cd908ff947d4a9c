"""What becomes of a file, on numbers worked out by hand; and what is refused."""

import pickle
from pathlib import Path

import pytest
from onlay import PluginHost
from onlay.errors import DataError

from onlay_my_modality import plugin, reading


def read(
    folder: Path,
    text: str,
) -> list[float]:
    path = folder / "one.series"
    path.write_text(text, encoding="utf-8")
    facts = {"length": 4, "mean": 1.0, "std": 2.0}
    sent = pickle.loads(pickle.dumps(reading.reader(facts)))  # as to workers
    return sent(path).tolist()


def test_numbers_are_scaled_and_filled(tmp_path: Path) -> None:
    # (3 - 1) / 2 = 1, (0 - 1) / 2 = -0.5
    assert read(tmp_path, "3\n0\n") == [1.0, -0.5, 0.0, 0.0]


def test_a_longer_file_loses_its_end(tmp_path: Path) -> None:
    assert read(tmp_path, "1 3 5 7 9 11") == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "holds no number"), ("1 two", "`two`, the 2. entry of"), ("nan", "`nan`")],
)
def test_what_is_no_series_is_named(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        read(tmp_path, text)


def test_it_is_registered() -> None:
    (found,) = plugin.register_modalities()
    assert PluginHost.discover().modalities[found.name] == found
