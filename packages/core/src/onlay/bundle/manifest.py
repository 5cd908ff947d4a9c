"""What `adapter_config.json` says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from onlay.settings import Config

FORMAT_VERSION = 1


def _named(block: dict[str, Any]) -> dict[str, Any]:
    if block and not isinstance(block.get("name"), str):
        raise ValueError("needs a `name` that is text")
    return block


Block = Annotated[dict[str, Any], AfterValidator(_named)]
"""A dumped configuration; `name` says of what."""


class BackboneRecord(Config):
    """The frozen network that the adapter belongs to."""

    label: str
    """The name for people: `vit_base_patch16_224.augreg_in21k`."""
    source: Block = Field(default_factory=dict)
    """The backbone config; empty where the user brought a model object of unknown origin."""
    fingerprint: str
    """SHA-256 over names, shapes and sampled values of its tensors."""
    fingerprint_rounded: dict[str, str] = Field(default_factory=dict)
    """The same of its tensors rounded to `bfloat16` and to `float16`."""
    pooling: str = ""
    """How it pools features, where its weights do not tell (`token`, `avg`); empty: they do, or the
    bundle is older than this field."""
    norm_eps: list[float] = Field(default_factory=list)
    """The different `eps` of its norms; empty: it has none, or the bundle is older."""
    parameters: int = Field(ge=1)
    """How many parameters it has, without its classifier."""


class Manifest(Config):
    """Everything about a bundle but its tensors."""

    format_version: Literal[1] = FORMAT_VERSION
    """Version of this layout; a reader refuses a newer one."""
    library: Literal["onlay"] = "onlay"
    """Who wrote it; tools that know `peft_type` find none and can say so."""
    method: Block = Field(min_length=1)
    """The method's config; `name` says which."""
    task: Block = Field(min_length=1)
    """The task's config; `name` says which."""
    modality: str
    """`image`, `pointcloud`, ..."""
    backbone: BackboneRecord
    """What the adapter belongs to."""
    labels: list[str] = Field(min_length=1)
    """Class names in the order of the outputs."""
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    """How an input is prepared for prediction."""
    sites: list[str] = Field(default_factory=list)
    """Where the adapter acts, resolved."""
    parameters: dict[str, int] = Field(default_factory=dict)
    """Trained parameters: `method`, `head`, the parts that the head tells apart, `other`."""
    packages: dict[str, dict[str, str]] = Field(default_factory=dict)
    """For `method`, `backbone`, `task`, `modality`: the distribution that registers it and its
    version."""
    data: dict[str, str] = Field(default_factory=dict)
    """What it was trained on: `dataset`, and `split`, a hash of file names and labels."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """What the run measured, `test_top1` and so on."""
    tensors_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 of `adapter_model.safetensors`."""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """SHA-256 of everything else in this file, as JSON with sorted keys, without blanks and with
    `\\u` for what is not ASCII; a reader refuses another one."""
