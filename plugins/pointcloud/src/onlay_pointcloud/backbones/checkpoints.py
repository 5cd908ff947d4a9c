"""Checkpoints of the authors of Point-MAE, ACT, Point-BERT and ReCon.

A file is a dictionary with the tensors under `base_model` (or `model_state_dict`), with or without
`module.` in their names. What a file may lack and what is left out of it is written down here;
anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from onlay.errors import BundleError
from onlay.reading.statefile import check_values, read_state, unwrapped
from onlay_pointcloud.backbones.config import BundledConfig, PublishedBackbone

WithWeights = PublishedBackbone | BundledConfig
"""Backbones that read files of users."""

HEADS = r"cls_head_finetune\.|label_conv\.|propagation_0\.|convs[123]\.|bns[12]\."
"""The classifier, and the part segmentation decoder, of fine-tuned files."""
CONTRAST = r"(img|text)_(token|pos)$|blocks\.blocks\.\d+\.\w+_contrast\."
"""What ReCon has beside Point-MAE's layout."""


@dataclass(frozen=True)
class Source:
    """One spelling: which tensors are the backbone's, and what else such a file holds."""

    prefix: str
    missing: frozenset[str] = frozenset()
    """Names that such files do not have; they keep their initialisation."""
    inside: str = r"(?!)"
    """Names below the prefix that are left out (regular expression, at their beginning)."""
    outside: str = r"(?!)"
    """Names beside the prefix that are left out."""


FINE_TUNED = (Source("base_model.", inside=HEADS), Source("", inside=HEADS))
NO_CLASS_TOKEN = frozenset({"cls_token", "cls_pos"})

SOURCES: Mapping[str, tuple[Source, ...]] = {
    "point_mae": (
        Source(
            "MAE_encoder.",
            missing=NO_CLASS_TOKEN,
            outside=r"mask_token$|decoder_pos_embed\.|MAE_decoder\.|increase_dim\.",
        ),
        *FINE_TUNED,
    ),
    "act": (
        Source("ACT_encoder.", inside=r"lm_head\.|cls_head|mask_token$", outside=r""),
        *FINE_TUNED,
    ),
    "point_bert": (
        Source(
            "transformer_q.",
            inside=r"cls_head|lm_head\.|mask_token$",
            outside=r"transformer_k\.|dvae\.|queue$|queue_ptr$",
        ),
        *FINE_TUNED,
    ),
    "recon": (Source("MAE_encoder.", inside=r"cls_head", outside=r""), *FINE_TUNED),
    "recon_as_mae": (
        Source("MAE_encoder.", inside=CONTRAST + r"|cls_head", outside=r""),
        Source("base_model.", inside=CONTRAST + "|" + HEADS),
        Source("", inside=CONTRAST + "|" + HEADS),
    ),
    "onlay_points": (Source(""),),
}
"""For each backbone the spellings of its files; the first one whose prefix occurs is taken. ACT's
and ReCon's pretraining files hold teachers beside the network, so `outside` takes everything."""

MOMENTUM = Source(
    "transformer_k.",
    inside=r"cls_head|lm_head\.|mask_token$",
    outside=r"transformer_q\.|dvae\.|queue$|queue_ptr$",
)
"""The other network of a Point-BERT pretraining file."""


def load_weights(model: nn.Module, config: WithWeights) -> None:
    """Put the tensors of `config.weights` into the model.

    Raises:
        BundleError: unreadable, or tensors that are missing, unexpected or of another shape.
    """
    assert config.weights is not None
    own = model.state_dict()
    spelled = {s.prefix + name for s in (*SOURCES[config.name], MOMENTUM) for name in own}
    state = unwrapped(tensors_of(config.weights), spelled, config.weights, least=len(own) // 2)
    source = _source(state, config)
    found, odd = _parts(state, source)
    lost = sorted(own.keys() - found.keys() - source.missing)
    odd += sorted(found.keys() - own.keys())
    other = sorted(
        f"`{name}` {tuple(found[name].shape)} instead of {tuple(own[name].shape)}"
        for name in found.keys() & own.keys()
        if found[name].shape != own[name].shape
    )
    _refuse(config, other, "other shapes")
    _refuse(config, [f"`{name}`" for name in lost], "missing tensors")
    _refuse(config, [f"`{name}`" for name in odd], "unexpected tensors")
    check_values(own, found, config.weights)
    model.load_state_dict(found, strict=False)


def tensors_of(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by their names without `module.`."""
    return read_state(path, within=("base_model", "model_state_dict"))


def _source(state: Mapping[str, Tensor], config: WithWeights) -> Source:
    if getattr(config, "momentum", False) and _has(state, MOMENTUM.prefix):
        return MOMENTUM
    sources = SOURCES[config.name]
    source = next(s for s in sources if _has(state, s.prefix))
    return source if getattr(config, "class_token", True) else _without_class_token(source)


def _without_class_token(source: Source) -> Source:
    inside = source.inside + r"|cls_token$|cls_pos$"
    return Source(source.prefix, inside=inside, outside=source.outside)


def _has(names: Iterable[str], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in names)


def _parts(state: Mapping[str, Tensor], source: Source) -> tuple[dict[str, Tensor], list[str]]:
    """The backbone's tensors without the prefix, and names that such a file should not hold."""
    found, odd = {}, []
    for name, tensor in state.items():
        if not name.startswith(source.prefix):
            if not re.match(source.outside, name):
                odd.append(name)
        elif not re.match(source.inside, inner := name.removeprefix(source.prefix)):
            found[inner] = tensor
    return found, odd


def _refuse(config: WithWeights, names: list[str], what: str) -> None:
    if names:
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        raise BundleError(
            f"`{config.weights}` is no checkpoint for `{config.name}`: {what}:"
            f" {', '.join(names[:4])}{more}"
        )
