"""`help()` of a descriptor shows what every one of its fields means."""

from __future__ import annotations

import dataclasses
import pydoc

import pytest

from onlay import descriptors
from onlay.machine.field_docs import WithFields, described, with_fields

KINDS = [kind for kind in vars(descriptors).values() if dataclasses.is_dataclass(kind)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_described_in_help(kind: type) -> None:
    told = dict(described(kind))
    assert list(told) == [field.name for field in dataclasses.fields(kind)]
    lines = pydoc.plain(pydoc.render_doc(kind)).splitlines()
    shown = " ".join(" ".join(line.removeprefix(" |") for line in lines).split())
    for name, text in told.items():
        assert f"{name} {' '.join(text.split())}" in shown


def test_a_class_without_source_keeps_its_own_docstring() -> None:
    made = with_fields(type("Made", (), {"__doc__": "Made here."}))
    assert made.__doc__ == "Made here."
    assert isinstance(vars(made)["__doc__"], WithFields)


@pytest.mark.parametrize(
    ("citation", "year"),
    [
        ("A, B: T. ICML 2019. arXiv:1902.00751. C: U. EACL 2021. arXiv:2005.00247", "2019"),
        ("A: T. arXiv:2005.00247", ""),
        ("", ""),
    ],
)
def test_the_year_of_a_method_is_the_first_of_its_citation(citation: str, year: str) -> None:
    method = descriptors.Method(
        name="m", config="m:M", attach="m:m", summary="m", citation=citation
    )
    assert method.year == year
