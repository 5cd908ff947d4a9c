"""Words choose checks by their names, as pytest's `-k` does."""

from __future__ import annotations

import pytest

from onlay.errors import ConfigError
from onlay.testing.choosing import choice

NAMES = ("folds_exactly", "folding_twice", "copies_are_independent", "compiles")


@pytest.mark.parametrize(
    ("words", "held"),
    [
        ("fold", ["folds_exactly", "folding_twice"]),
        ("Folds_EXACTLY", ["folds_exactly"]),
        ("folds exactly", ["folds_exactly"]),  # as the table prints it
        ("fold and not twice", ["folds_exactly"]),
        ("not fold", ["copies_are_independent", "compiles"]),
        ("twice or copies and are", ["folding_twice", "copies_are_independent"]),
        ("(twice or copies) and are", ["copies_are_independent"]),
        ("not (twice or exactly) not comp", ["copies_are_independent"]),
        ("co(pies)", ["copies_are_independent"]),
    ],
)
def test_words_hold_for_names(words: str, held: list[str]) -> None:
    assert [name for name in NAMES if choice(words)(name)] == held


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("fold and", "a word is missing"),
        ("or fold", "a word is missing"),
        ("not", "a word is missing"),
        ("(fold", "a bracket stays open"),
        ("fold)", "`)` is out of place"),
    ],
)
def test_what_is_no_expression_is_one_sentence(words: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"chooses no checks: ") as refused:
        choice(words)
    assert told in str(refused.value)
