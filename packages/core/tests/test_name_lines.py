"""Files of names in which the place of a line is a number."""

from __future__ import annotations

from pathlib import Path

import pytest

from onlay.reading.delimited import read_table
from onlay.reading.name_lines import name_lines
from onlay.reading.tar_samples import class_names
from onlay.testing.said import fails


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"ant\nbee\n", ["ant", "bee"]),
        (b"\xef\xbb\xbf ant \r\nbee\r\n\r\n \n", ["ant", "bee"]),
        (b"ant\rbee", ["ant", "bee"]),
        ("a\u2028b\nc\u2029d\ne\u0085f\n".encode(), ["a\u2028b", "c\u2029d", "e\u0085f"]),
        (b"a\x0bb\nc\x0cd\ne\x1cf\n", ["a\x0bb", "c\x0cd", "e\x1cf"]),
        (b"", []),
        (b"\n \n", []),
    ],
)
def test_a_name_ends_at_the_end_of_its_line_alone(
    content: bytes, names: list[str], tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_bytes(content)
    assert name_lines(tmp_path / "names.txt") == names
    assert class_names(tmp_path / "names.txt") == tuple(names)


@pytest.mark.parametrize(
    ("content", "line"), [("\nant\nbee\n", 1), ("ant\n\nbee\n", 2), ("ant\r\nbee\r\n \t\r\ncat", 3)]
)
def test_an_empty_line_before_others_is_named(content: str, line: int, tmp_path: Path) -> None:
    """Left out, it would make class 2 of what is class 3."""
    path = tmp_path / "names.txt"
    path.write_bytes(content.encode())
    fails(lambda: class_names(path), f"line {line} of `{path}` is empty", "take the line out")


def test_what_is_no_text_and_what_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    fails(lambda: class_names(path), f"`{path}` cannot be read as text")
    path.write_bytes(b"caf\xe9\n")
    fails(lambda: class_names(path), f"`{path}` cannot be read as text")
    path.write_text("ant\nbee\nant\n")
    fails(lambda: class_names(path), "names the class `ant` twice")


def test_the_first_line_of_a_table_goes_on_behind_such_letters(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("the\u2028path;label\n1.jpg;a, b, c\n", encoding="utf-8")
    header, _ = read_table(tmp_path / "t.csv")
    assert header == ["the\u2028path", "label"]
