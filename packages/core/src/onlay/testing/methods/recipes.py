"""A method's presets, which no run of the checks takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from onlay.config.run import BLOCKS, RunConfig, widened
from onlay.config.train import TrainConfig
from onlay.settings import Config
from onlay.testing.case import MethodCase
from onlay.testing.checking import require

_OF_A_RUN = RunConfig.model_fields.keys() - {"preset", "out", "plugins"} | {"modality"}


def has_none(case: MethodCase) -> str:
    return "" if case.method.presets else "the method has no preset"


def check_presets_fit_into_a_run(case: MethodCase) -> None:
    """Every preset names fields that a run has, with values that these take; of the backbone, the
    task and the data set as far as one is installed that it may be for."""
    for name, preset in case.method.presets.items():
        alien = ", ".join(f"`{key}`" for key in preset if key not in _OF_A_RUN)
        require(not alien, f"preset `{name}`: a run has no {alien}")
        given = widened(preset, case.host)
        for part in given.keys() & {*BLOCKS, "train"}:
            told = [_mistake(cls, given[part], case) for cls in _meant(case, part, given)]
            wrong = bool(told) and all(told)
            require(not wrong, f"preset `{name}`: {part}.{min(told, key=len, default='')}")


def _meant(case: MethodCase, part: str, preset: Mapping[str, Any]) -> Iterable[type[Config]]:
    """The settings that it may be for: of the name that it says, else of its modality."""
    if part == "train":
        return [TrainConfig]
    if part == "method":
        return [case.method.config]
    known, modality = case.host.registered(BLOCKS[part].kind), preset.get("modality")
    named = preset[part].get("name")
    return [
        each.config
        for each in known.values()
        if named in (None, each.name) and modality in (None, getattr(each, "modality", modality))
    ]


def _mistake(cls: type[Config], block: Mapping[str, Any], case: MethodCase) -> str:
    """What is wrong with a field, or nothing. What is missing the run may say, and so what a whole
    block lacks, unless it is one of the method's own."""
    try:
        cls.model_validate(dict(block), context={"host": case.host})
    except ValidationError as error:
        whole = cls in (case.method.config, TrainConfig)
        for each in error.errors(include_url=False):
            if each["type"] != "missing" and (each["loc"] or whole):
                return f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
    return ""
