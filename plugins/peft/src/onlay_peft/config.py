"""Settings of the bridge to PEFT; imports neither torch nor peft."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from onlay.settings import Config
from onlay_peft.catalogue import ELSEWHERE, STARTS_FROM_DATA, UNFIT, tuners

SITES = ("qkv.out", "attn.out", "fc1.out", "mlp.out")
"""Sites of a block that one linear layer writes, or q, k and v apart."""
EMBEDDING = "embed.out"
_PLACE = re.compile(r"(?:blocks\.\d+\.)?(.+)")

BY_SITE = ("rank_pattern", "alpha_pattern", "feedforward_modules")
"""Options in which peft wants names of modules and this method takes sites."""


class PeftMethodConfig(Config):
    """Any tuner of Hugging Face PEFT for linear and convolution layers, at sites."""

    name: Literal["peft"] = "peft"

    tuner: str = "lora"
    """peft's name of the tuner (its `PeftType`): `lora`, `ia3`, `oft`, `boft`, `vera`, `loha`,
    `lokr`, ...; DoRA is `lora` with `options: {use_dora: true}`."""

    sites: tuple[str, ...] = Field(default=("qkv.out",), min_length=1)
    """Where it acts, on the layer that writes the site: `qkv.out`, `attn.out` (the projection
    behind attention), `fc1.out`, `mlp.out` (the second layer of the MLP) in every block,
    `blocks.11.qkv.out` in one, `embed.out` the patch embedding."""

    options: dict[str, Any] = Field(default_factory=dict)
    """The tuner's own options, as in its peft configuration: `{r: 16, lora_alpha: 32}`. Names of
    modules are sites here: `{rank_pattern: {mlp.out: 4}}`; for IA3 `feedforward_modules: [mlp.out]`
    says which layers are scaled at their input."""

    @field_validator("tuner")
    @classmethod
    def _known_tuner(cls, tuner: str) -> str:
        name, have = tuner.lower().replace("-", "_"), list(tuners())
        if name in UNFIT:
            raise ValueError(f"`{tuner}` cannot be used: {UNFIT[name]}")
        if name not in have:
            raise ValueError(
                f"the installed peft has no tuner `{tuner}` for linear layers"
                f"{_near(name, have)} (have: {', '.join(have)})"
            )
        return name

    @field_validator("sites")
    @classmethod
    def _known_sites(cls, sites: tuple[str, ...]) -> tuple[str, ...]:
        for site in sites:
            _check_site(site)
        if len(set(sites)) < len(sites):
            raise ValueError("name each site once")
        return sites

    @model_validator(mode="after")
    def _known_options(self) -> Self:
        have = tuners()[self.tuner]
        for option in self.options:
            if option in ELSEWHERE:
                raise ValueError(f"option `{option}` has no place here: {ELSEWHERE[option]}")
            if option not in have:
                raise ValueError(
                    f"`{self.tuner}` has no option `{option}`"
                    f"{_near(option, have)} (have: {', '.join(have)})"
                )
        start = str(self.options.get("init_lora_weights"))
        if start in STARTS_FROM_DATA:
            raise ValueError(f"`init_lora_weights: {start}`: {STARTS_FROM_DATA[start]}")
        for option in BY_SITE:
            for site in self.options.get(option) or ():
                _check_site(site, within=f"`{option}`: ")
        return self


def _check_site(site: str, within: str = "") -> None:
    found = _PLACE.fullmatch(site)
    if site == EMBEDDING or (found is not None and found[1] in SITES):
        return
    have = (*SITES, EMBEDDING)
    raise ValueError(
        f"{within}no single layer writes a site `{site}`{_near(site, have)}"
        f" (have: {', '.join(have)}, or one block's, such as `blocks.0.qkv.out`)"
    )


def _near(name: str, have: Any) -> str:
    near = get_close_matches(name, have, n=1)
    return f", did you mean `{near[0]}`?" if near else ""
