"""Methods that each break one sentence of the contract, and `DEFECTS`, which check names it.

What is wrong is in one place of each: the module, how it is placed, or what is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import planted_modules as modules
import planted_settings as settings
import planted_told as told
from named_configs import named_config
from torch import nn

from onlay import hookimpl
from onlay.anatomy import Placement
from onlay.descriptors import Method
from onlay.settings import Config


def beside(place: Placement, make: Callable[[int, Any], nn.Module]) -> None:
    for block in place.blocks:
        target: Any = block.site("qkv.out")
        branch = make(block.width, target.writer.module)
        place.branch(block.site("attn.in"), target, branch)


def left_behind(place: Placement, config: Config) -> None:
    beside(place, modules.LowRank)
    place.blocks[0].module.register_forward_hook(lambda module, args, output: None)


def brightening(place: Placement, config: Config) -> None:
    """A batch has one loss: the first block's module brings it."""
    kinds = iter([modules.Brightening, *(modules.LowRank for _ in place.blocks)])
    beside(place, lambda width, neighbour: next(kinds)(width, neighbour))


def by_number(place: Placement, config: Config) -> None:
    """It takes a block's place in the backbone for its place among those that it is given."""
    makers = [modules.LowRank for _ in place.blocks]
    kinds = (makers[block.index] for block in place.blocks)
    beside(place, lambda width, neighbour: next(kinds)(width, neighbour))


def left_attribute(place: Placement, config: Config) -> None:
    beside(place, modules.LowRank)
    place.anatomy.model.adapted_by = "planted"


def class_token_only(place: Placement, config: Config) -> None:
    """It needs insertion and does not say so."""
    beside(place, modules.LowRank)
    place.insert(place.blocks[0], nn.Module())


def one_projection(config: Config, anatomy: Any) -> int:
    """The formula of a method whose `down` is shared by all blocks of a stage."""
    shared = sum(2 * stage.width for stage in anatomy.stages)
    return shared + sum(9 * block.width for block in anatomy.blocks)


@dataclass(frozen=True)
class Defect:
    """How a broken method is registered, and the check that has to name it."""

    check: str
    clue: str
    """What the failure must say."""
    module: type[nn.Module] | None = None
    attach: str = ""
    config: type[Config] | None = None
    declared: Mapping[str, Any] = field(default_factory=dict)


BOTH = frozenset({"identity", "foldable"})
IDENTITY = {"traits": frozenset({"identity"})}
ONE_PROJECTION = {"count": "planted:one_projection"}
MAPS = {"needs": frozenset({"class_token", "grid"})}
DEFECTS: dict[str, Defect] = {
    "leaked_gradient": Defect(
        "trains_exactly_what_it_declares",
        "attn.qkv.weight",
        modules.Leaking,
    ),
    "moved_backbone": Defect(
        "backbone_is_untouched_by_a_step",
        "of the backbone changed",
        modules.Moving,
    ),
    "unshared_projection": Defect(
        "counts_its_parameters",
        "says that it trains 320 parameters but trains 352",
        modules.LowRank,
        declared=ONE_PROJECTION,
    ),
    "misspelt": Defect(
        "presets_fit_into_a_run",
        "preset `paper`: train.epoch: unknown key; did you mean `epochs`?",
        modules.LowRank,
        declared={"presets": {"paper": {"train": {"epoch": 100}}}},
    ),
    "unsaved_buffer": Defect(
        "bundle_reloads_to_the_same_outputs",
        "after reloading",
        modules.Averaging,
    ),
    "aliasing": Defect(
        "conversion_keeps_state_and_network_one",
        "after reloading",
        modules.Aliasing,
        declared=IDENTITY,
    ),
    "reading_weights": Defect(
        "runs_beside_a_backbone_in_half_precision",
        "dtype",
        modules.ReadingWeights,
    ),
    "doubling": Defect(
        "steps_without_float64",
        "gives float64",
        modules.Doubling,
        declared=IDENTITY,
    ),
    "forgotten_bias": Defect(
        "folds_exactly",
        "outputs move",
        modules.ForgetfulMerge,
    ),
    "bent_fold": Defect(
        "folds_exactly",
        "outputs move",
        modules.SecretlyBent,
    ),
    "modest": Defect(
        "folding_is_refused_with_a_reason",
        "promise `foldable`",
        modules.LowRank,
        declared=IDENTITY,
    ),
    "left_behind": Defect(
        "detach_restores_the_backbone",
        "`blocks.0` is left with other hooks",
        attach="left_behind",
    ),
    "by_number": Defect(
        "is_held_to_the_last_blocks",
        "list index out of range",
        attach="by_number",
    ),
    "own_last_blocks": Defect(
        "is_held_to_the_last_blocks",
        "a field `last_blocks` of their own",
        modules.LowRank,
        config=settings.OwnLastBlocks,
    ),
    "left_attribute": Defect(
        "detach_restores_the_backbone",
        "`the backbone` is left",
        attach="left_attribute",
    ),
    "dropping": Defect(
        "evaluation_draws_no_random_number",
        "two passes in evaluation differ",
        modules.AlwaysDropping,
    ),
    "python_start": Defect(
        "is_the_same_under_a_seed",
        "down.weight",
        modules.PythonStart,
    ),
    "numpy_noise": Defect(
        "trains_alike_under_a_seed",
        "between two equal trainings",
        modules.NumpyNoise,
    ),
    "mixing": Defect(
        "inputs_of_a_batch_do_not_touch",
        "an input alone and in a batch",
        modules.Mixing,
        declared=IDENTITY,
    ),
    "square": Defect(
        "takes_inputs_that_are_not_square",
        "unflatten",
        modules.SquareMap,
        declared=MAPS,
    ),
    "loud_start": Defect(
        "starts_as_identity",
        "before any step",
        modules.LoudStart,
    ),
    "silenced": Defect(
        "every_parameter_gets_a_gradient",
        "branches.0.gate`",
        modules.Silenced,
    ),
    "unplugged": Defect(
        "every_site_is_met_and_every_parameter_connected",
        "branches.0.spare`",
        modules.Unplugged,
    ),
    "detached": Defect(
        "every_site_is_met_and_every_parameter_connected",
        "would never train",
        modules.DetachedInside,
    ),
    "many_penalties": Defect(
        "auxiliary_loss_is_a_finite_scalar",
        "the shape (2,)",
        modules.ManyPenalties,
    ),
    "endless_penalty": Defect(
        "auxiliary_loss_is_a_finite_scalar",
        "is nan",
        modules.EndlessPenalty,
    ),
    "brightening": Defect(
        "views_and_loss_leave_the_batch",
        "the inputs of the batch have changed",
        attach="brightening",
    ),
    "forgetting": Defect(
        "goes_on_from_its_tensors",
        "differ after another step",
        modules.Forgetting,
    ),
    "rounding": Defect(
        "is_finite_in_bfloat16",
        "not finite",
        modules.Rounding,
    ),
    "overwriting": Defect(
        "sources_stay_as_they_are",
        "`Overwriting` writes into the tensor",
        modules.Overwriting,
    ),
    "viewing": Defect(
        "takes_tensors_that_are_not_contiguous",
        "view size is not compatible",
        modules.Viewing,
    ),
    "exploding": Defect(
        "is_finite_on_large_values",
        "not finite where modules read large values",
        modules.Exploding,
    ),
    "even_gates": Defect(
        "gates_at_partial_activity",
        "is invalid for input of size",
        modules.EvenGates,
        declared=IDENTITY,
    ),
    "dropping_with_gradients": Defect(
        "evaluation_is_the_same_with_gradients",
        "differ with gradients on",
        modules.DroppingWithGradients,
    ),
    "fixed_table": Defect(
        "runs_in_bfloat16",
        "dtype",
        modules.FixedTable,
        declared=IDENTITY,
    ),
    "remembering": Defect(
        "nothing_is_kept_after_a_pass",
        "bytes are alive, in `blocks.0.qkv_out.branches.0.last`",
        modules.Remembering,
    ),
    "trailing": Defect(
        "nothing_is_kept_after_a_pass",
        "`blocks.0.qkv_out.branches.0.running`",
        modules.Trailing,
    ),
    "hashed_start": Defect(
        "another_process_gives_the_same",
        "in another process",
        modules.HashedStart,
    ),
    "made_on_the_cpu": Defect(
        "stays_on_the_device_of_its_inputs",
        "`add` is given a tensor of the CPU",
        modules.MadeOnTheCpu,
        declared=IDENTITY,
    ),
    "looping": Defect(
        "exports_for_any_batch",
        "batch",
        modules.Looping,
    ),
    "counting": Defect(
        "recomputes_to_the_same_gradients",
        "recomputed gradient",
        modules.Counting,
    ),
    "moved_twice": Defect(
        "recomputes_to_the_same_gradients",
        "after a recomputed pass and after a plain one",
        told.MovedTwice,
        declared={"traits": frozenset({"identity"})},
    ),
    "compiled": Defect(
        "compiles",
        "compiled",
        modules.OtherWhenCompiled,
    ),
    "closed": Defect(
        "copies_are_independent",
        "acts through the first",
        modules.Closed,
    ),
    "sometimes": Defect(
        "two_processes_agree",
        "parameters that were not used",
        modules.Sometimes,
    ),
    "of_the_process": Defect(
        "two_adapters_do_not_touch",
        "training the second changes the first",
        modules.OfTheProcess,
    ),
    "hoarding": Defect(
        "bundle_holds_the_adapter_alone",
        "a tensor of the backbone",
        modules.Hoarding,
    ),
    "undeclared_need": Defect(
        "fits_where_its_needs_are_met",
        "tokens cannot be inserted",
        attach="class_token_only",
    ),
    "drifting": Defect(
        "settings_round_trip",
        "is read back as",
        modules.LowRank,
        config=settings.Drifting,
    ),
    "forgotten": Defect(
        "every_setting_has_an_effect",
        "no other value of `scale` changes anything",
        modules.LowRank,
        config=settings.Forgotten,
    ),
    "wordless": Defect(
        "refuses_in_words",
        "answers False",
        modules.LowRank,
        declared={"refusal": "planted:wordless"},
    ),
    "routed_and_folded": Defect(
        "what_folds_is_static",
        "declares `dynamic`: the route",
        modules.LowRank,
        declared={"dynamic": "the route"},
    ),
    "undescribed": Defect(
        "settings_are_described",
        "no docstring under `rank`",
        modules.LowRank,
        config=settings.Undescribed,
    ),
}
DEFECTS |= {name: Defect(*given) for name, given in told.TOLD.items()}
HEALTHY = {
    "healthy": Defect("", "", modules.LowRank),
    "healthy_mean": Defect("", "", told.RunningMean, declared={"traits": frozenset({"identity"})}),
    "healthy_told": Defect("", "", told.Told, declared={"traits": frozenset({"identity"})}),
}


def wordless(config: Config, provides: frozenset[str]) -> bool:
    """Whether, and not why."""
    return False


def attach(place: Placement, config: Config) -> None:
    """The module of the defect that the settings name."""
    beside(place, (DEFECTS | HEALTHY)[config.name].module)


@hookimpl
def register_methods() -> Iterable[Method]:
    for name, defect in (DEFECTS | HEALTHY).items():
        yield Method(
            name=name,
            config=defect.config or named_config(name, doc="Nothing to set."),
            attach=f"planted:{defect.attach or 'attach'}",
            summary=f"breaks `{defect.check}`",
            **{"traits": BOTH, **defect.declared},
        )
    yield Method(
        name="needy",
        config=named_config("needy", doc="Nothing to set."),
        attach="planted:attach",
        summary="needs what no tiny backbone has",
        needs=frozenset({"frequency"}),
    )
