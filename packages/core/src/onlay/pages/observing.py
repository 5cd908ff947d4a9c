"""Observing: one input is run without and with an adapter, and what its modules show is kept.

Shapes: B batch, T tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from onlay.batches import stacked
from onlay.errors import AnatomyError, ConfigError
from onlay.inspecting import Observation, Picture, Signal
from onlay.machine.disk import writing
from onlay.machine.notes import note, note_all
from onlay.model.answers import Answers
from onlay.model.pieces import InPieces
from onlay.model.predict import files_of, modality_of
from onlay.model.preprocessing import reader
from onlay.model.telling import told
from onlay.pages.changes import CHANGE, MEANING, Outputs, block_outputs, changes
from onlay.task import Answer, Input

if TYPE_CHECKING:
    from onlay.anatomy.adapter import Adapter
    from onlay.host import PluginHost
    from onlay.model.adapted import AdaptedModel


def observe(
    model: AdaptedModel,
    source: Path,
    inputs: Tensor,
    about: Mapping[str, str] | None = None,
    target: Any = None,
) -> Observation:
    """Run one input (a batch of one), without and with the adapter, and record what the adapter
    changes and what its modules show.

    Args:
        about: what is known of the model beside its method and backbone, such as its `run`.
        target: of the data, that lies on the input as it is given here; None: not known.
    """
    found: list[_Seen] = []
    levels = getattr(model.head, "levels", ())
    inserted = model.adapter.tokens
    bare, prepared = _bare(model.eval(), inputs), model.anatomy.prepared(inputs)
    kept = block_outputs(model.anatomy)
    turn = model.attachments.turn(model.name, model.adapter)
    with turn, torch.no_grad(), _recorded(model.adapter, found), kept as adapted:
        features = model.anatomy.encode(prepared, inserted=inserted, levels=levels)
        output = model.answer(features)
    if getattr(model.head, "views", None) is not None:  # what is told is of all of them
        with torch.no_grad():
            output = model(inputs)
    signals = [_signal(seen, model) for seen in found if seen.shown is not None]
    signals += [_change(block, values, model) for block, values in changes(adapted, bare)]
    answers, given = Answers.of(model), Input(source, inputs[0].cpu(), model.preprocessing)
    (answer,) = answers.given(model.head, output, 1)
    return Observation(
        source,
        inputs,
        features,
        prediction=answers.about(answer, given),
        signals=tuple(signals),
        preprocessing=model.preprocessing,
        pictures=tuple(_picture(seen) for seen in found if seen.pictured is not None),
        about={**_known(model), **(about or {})},
        truth=_truth(model, answers, given, target),
        task=answers.task,
    )


def observed(
    model: AdaptedModel,
    paths: Sequence[Path],
    host: PluginHost,
    about: Mapping[str, str] | None = None,
    target_of: Callable[[Path], Any] = lambda file: None,
) -> Iterator[Observation]:
    """Observe files one by one, prepared as in training; a folder stands for the files in it.

    Args:
        target_of: the target of a file, as the data has it, where it is known, else None.
    """
    modality = modality_of(model, host)
    read = reader(modality, model.preprocessing)
    device = next(model.parameters()).device
    for file in files_of(paths, modality):
        inputs = _one(read(file), file).unsqueeze(0).to(device)
        yield observe(model, file, inputs, about, target_of(file))
    note_all(read)


def _one(given: Any, file: Path) -> Tensor:
    """What is looked at of a file; of one that is cut into pieces the one in the middle."""
    if not isinstance(given, InPieces):
        return given
    count = len(given.pieces)
    if count > 1:
        note(f"of `{file}`, which is cut into {count:,} pieces, one in the middle is shown")
    return given.pieces[count // 2].inputs


def view(
    model: AdaptedModel, observations: Sequence[Observation], out: Path, host: PluginHost
) -> None:
    """Write the page of the modality, with several inputs side by side.

    Raises:
        ConfigError: the modality draws none.
    """
    modality = modality_of(model, host)
    if modality.viewer is None:
        raise ConfigError(f"there is no page to look at for `{modality.name}` inputs yet")
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        host.call("modality", modality.name, "viewer", observations, out)


def made_by(command: str, run: Path) -> dict[str, str]:
    """What a page says beside the method and the backbone, which the model knows."""
    return {"run": str(run), "made": f"by onlay {command}, {datetime.now():%Y-%m-%d %H:%M}"}


def _truth(model: AdaptedModel, answers: Answers, given: Input, target: Any) -> Answer | None:
    if target is None:
        return None
    collate = getattr(model.head, "collate", stacked)
    _, targets = collate([(given.tensor, target)])
    truth = answers.true(model.head, targets)
    return truth and answers.about(truth, given)


def _bare(model: AdaptedModel, inputs: Tensor) -> Outputs:
    """What the blocks give without the adapter; its tokens are not there."""
    levels = getattr(model.head, "levels", ())  # by which inputs may be padded
    with torch.no_grad(), model.disabled(), block_outputs(model.anatomy) as found:
        model.anatomy.encode(model.anatomy.prepared(inputs), levels=levels)
    return found


def _known(model: AdaptedModel) -> dict[str, str]:
    count = sum(parameter.numel() for parameter in model.trained_parameters().values())
    return {
        "method": f"{model.method.name}, {count:,} trained parameters",
        "backbone": model.built.label,
    }


@dataclass(frozen=True)
class _Seen:
    module: Any
    path: str
    shown: Tensor | None
    pictured: Tensor | None

    @classmethod
    def of(cls, module: Any, path: str, args: tuple[Any, ...], output: Any) -> _Seen:
        """What a module shows of the call that has just ended."""
        called = module, path, args, output
        return cls(module, path, _named("shown", *called), _named("pictured", *called))


OWN = {"shown": "shows", "pictured": "pictures"}
"""The method that says what is meant, where that is not the output."""


def _named(kind: str, module: Any, path: str, args: tuple[Any, ...], output: Any) -> Tensor | None:
    if not hasattr(module, kind):
        return None
    own = OWN[kind]
    if hasattr(module, own):
        return told(getattr(module, own), Tensor, *args, output).detach()
    if re.search(r"\.rewrites\.\d+$", path):
        raise AnatomyError(
            f"`{getattr(module, kind)}` would be the site's own tensor, as"
            f" `{type(module).__name__}` is a rewrite: give it a method `{own}(x, output)` that"
            " returns what is meant"
        )
    if not isinstance(output, Tensor):
        raise AnatomyError(
            f"`{type(module).__name__}`, which is `{kind}`, gives a `{type(output).__name__}` and"
            f" not a tensor: give it a method `{own}(x, output)` that returns what is meant"
        )
    return output.detach()


@contextmanager
def _recorded(adapter: Adapter, found: list[_Seen]) -> Iterator[None]:
    paths: dict[Any, list[str]] = {}
    for path, module in adapter.named_modules(remove_duplicate=False):
        if hasattr(module, "shown") or hasattr(module, "pictured"):
            paths.setdefault(module, []).append(adapter.home_of(path))
    handles = [m.register_forward_hook(_Recorder(p, found).record) for m, p in paths.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Recorder:
    """A module that blocks share is called once for each of its places, in their order."""

    def __init__(self, paths: list[str], found: list[_Seen]) -> None:
        self.paths, self.found = paths, found
        self.calls = 0

    def record(self, module: Any, args: tuple[Any, ...], output: Tensor) -> None:
        path = self.paths[self.calls % len(self.paths)]
        self.calls += 1
        self.found.append(_Seen.of(module, path, args, output))


def _signal(seen: _Seen, model: AdaptedModel) -> Signal:
    block, site = _place_of(seen.path)
    assert seen.shown is not None
    if seen.shown.ndim < 2:
        raise AnatomyError(
            f"`{seen.module.shown}` of block {block} has the shape {tuple(seen.shown.shape)};"
            f" `{type(seen.module).__name__}`, which is `shown`, must give (batch, tokens) or"
            " (batch, tokens, parts)"
        )
    each = _finite(seen.shown[0], seen.module.shown, block)
    values_TK = each.unsqueeze(-1) if each.ndim == 1 else each.flatten(0, -2)
    layout = model.anatomy.layout(block, inserted=model.adapter.tokens_before(block))
    categories = getattr(seen.module, "categories", None)
    meaning = getattr(seen.module, "meaning", "")
    return Signal(seen.module.shown, block, values_TK, categories, layout, site, meaning)


def _change(block: int, values_T: Tensor, model: AdaptedModel) -> Signal:
    layout = model.anatomy.layout(block, inserted=model.adapter.tokens_before(block))
    values_T1 = _finite(values_T, CHANGE, block).unsqueeze(-1)
    return Signal(CHANGE, block, values_T1, None, layout, meaning=MEANING)


def _picture(seen: _Seen) -> Picture:
    block, site = _place_of(seen.path)
    assert seen.pictured is not None
    name, shape = seen.module.pictured, tuple(seen.pictured.shape)
    if len(shape) != 4:
        raise AnatomyError(
            f"`{name}` of block {block} has the shape {shape}; `{type(seen.module).__name__}`,"
            " which is `pictured`, must give (batch, pictures, height, width)"
        )
    meaning = getattr(seen.module, "meaning", "")
    return Picture(name, block, _finite(seen.pictured[0], name, block), site, meaning)


def _finite(values: Tensor, name: str, block: int) -> Tensor:
    if not values.isfinite().all():
        raise AnatomyError(
            f"`{name}` of block {block} is not a finite number for this input: the training of this"
            " adapter diverged; train it again with a lower `train.lr`"
        )
    return values.float().cpu()


def _place_of(path: str) -> tuple[int, str]:
    """`blocks.3.mlp_out.branches.0.scale` is at `mlp.out` of block 3."""
    named = re.search(r"blocks\.(\d+)\.(\w+)", path)
    return (int(named[1]), named[2].replace("_", ".")) if named else (0, "")
