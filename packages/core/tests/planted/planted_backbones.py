"""Backbones that each break one sentence of the contract, and `DEFECTS`, which check names it.

All are the tiny one with one thing wrong: a site, the anatomy, the network, or what is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import planted_anatomies as kinds
import torch
from named_configs import named_config
from torch import Tensor, nn

from onlay import hookimpl
from onlay.anatomy import Anatomy, BuiltBackbone, InputOf, OutputOf, Undo
from onlay.anatomy.slices import Rows, SliceOf
from onlay.descriptors import Backbone
from onlay.settings import Config
from onlay.testing import TinyBackbone, tiny_backbone

TRAITS = frozenset({"sequence", "grid", "class_token", "insertion", "extension"})


class PlainConfig(Config):
    """A tiny backbone."""

    name: str
    """Its name."""


# --- sites ----------------------------------------------------------------------------------------


def changed(built: BuiltBackbone, block: int, name: str, **changes: Any) -> None:
    sites: Any = built.anatomy.blocks[block].sites
    sites[name] = replace(sites[name], **changes)


def late_site(built: BuiltBackbone) -> None:
    changed(built, 0, "attn.in", port=InputOf(built.module.blocks[1].attn))


def one_path(built: BuiltBackbone) -> None:
    changed(built, 1, "mlp.in", path="blocks.0.mlp.in")


def fused_width(built: BuiltBackbone) -> None:
    changed(built, 1, "qkv.out", width=16)


def inner_out(built: BuiltBackbone) -> None:
    changed(built, 1, "block.out", port=OutputOf(built.module.blocks[1].mlp))


def one_sided(built: BuiltBackbone) -> None:
    changed(built, 0, "mlp.res", port=InputOf(built.module.blocks[0].norm2))


def other_writer(built: BuiltBackbone) -> None:
    changed(built, 1, "attn.out", writer=built.anatomy.blocks[1].sites["mlp.out"].writer)


def crossed_parts(built: BuiltBackbone) -> None:
    """The values are where the queries are."""
    part = built.anatomy.blocks[1].site("qkv.out.v")
    vars(part)["port"] = SliceOf(OutputOf(built.module.blocks[1].attn.qkv), 0, 16)


def rows_of_all(built: BuiltBackbone) -> None:
    """What is meant for the queries is folded into the keys' bias, too."""
    part = built.anatomy.blocks[0].site("qkv.out.q")
    vars(part)["writer"] = Spilling(part.writer.whole, 0, 16)


class Spilling(Rows):
    def write(self, weight: Tensor, shift: Tensor) -> None:
        super().write(weight, shift)
        self.whole.module.bias.data[16:32] += 1  # a constant of all keys cancels in the softmax


def other_input(built: BuiltBackbone) -> None:
    site = built.anatomy.sites["input"]
    vars(site)["port"] = InputOf(built.module.embed)


class Rounded(OutputOf):
    def install(self, pipe: Callable[[Tensor], Tensor]) -> list[Undo]:
        return super().install(lambda x: pipe(x.bfloat16().float()))


class Sticky(OutputOf):
    def install(self, pipe: Callable[[Tensor], Tensor]) -> list[Undo]:
        self.module.register_forward_hook(lambda module, args, output: None)
        return super().install(pipe)


def misnamed_parts(built: BuiltBackbone) -> None:
    widths = [*built.anatomy.blocks[1].sites["qkv.out"].parts.values()]
    changed(built, 1, "qkv.out", parts=dict(zip("kqv", widths, strict=True)))


def values_first(built: BuiltBackbone) -> None:
    widths = [*built.anatomy.blocks[0].sites["qkv.out"].parts.values()]
    changed(built, 0, "qkv.out", parts=dict(zip("vkq", widths, strict=True)))


def rounded_port(built: BuiltBackbone) -> None:
    changed(built, 1, "mlp.out", port=Rounded(built.module.blocks[1].mlp))


def sticky_port(built: BuiltBackbone) -> None:
    changed(built, 1, "mlp.out", port=Sticky(built.module.blocks[1].mlp))


def unread_site(built: BuiltBackbone) -> None:
    module: Any = built.module
    module.embed.echo = nn.Identity()
    module.embed.register_forward_hook(lambda m, args, output: (m.echo(output), None)[1])
    site = built.anatomy.sites["tokens.in"]
    sites: Any = built.anatomy.sites
    sites["embed.out"] = replace(
        site, name="embed.out", path="embed.out", port=Transposed(module.embed.echo)
    )


class Transposed(OutputOf):
    def install(self, pipe: Callable[[Tensor], Tensor]) -> list[Undo]:
        return super().install(lambda x: pipe(x.flatten(2).mT).mT.view(x.shape))


def foreign_embedder(built: BuiltBackbone) -> None:
    built.anatomy.embedders = {"position": nn.Linear(3, 16)}


def other_count(built: BuiltBackbone) -> None:
    built.anatomy.patches = 5


# --- the network ----------------------------------------------------------------------------------


def counting(built: BuiltBackbone) -> None:
    built.module.register_buffer("seen", torch.zeros(()))
    built.module.__class__ = kinds.Counting


def hasty(built: BuiltBackbone) -> None:
    built.module.__class__ = kinds.Hasty


def ranked(built: BuiltBackbone) -> None:
    attn: Any = built.module.blocks[1].attn
    attn.__class__ = kinds.Ranked


def random_weights(built: BuiltBackbone) -> None:
    nn.init.normal_(built.module.get_parameter("norm.weight"))


def long_skip(built: BuiltBackbone) -> None:
    """The last norm reads what the patch embedding gave, too, and that is said to be skipped."""
    seen: list[Tensor] = [torch.zeros(())]
    built.module.embed.register_forward_hook(lambda m, args, out: seen.append(out.mean()))
    built.module.norm.register_forward_pre_hook(lambda m, args: (args[0] * seen[-1],))
    built.anatomy.skipped = (built.module.embed,)


def tuple_spec(built: BuiltBackbone) -> None:
    built.input_spec = {**built.input_spec, "img_size": (8, 8)}


# --- what is wrong with which ---------------------------------------------------------------------


@dataclass(frozen=True)
class Defect:
    """What is wrong, the check that says so, and a part of what it says."""

    change: type[Anatomy] | Callable[[BuiltBackbone], None]
    """Another kind of anatomy, or what is done to what was built."""
    check: str
    clue: str


DEFECTS: Mapping[str, Defect] = {
    "late_site": Defect(late_site, "sites_are_met_in_order", "`blocks.0.attn.in` is met should be"),
    "one_path": Defect(one_path, "sites_are_named", "`blocks.1.mlp.in` has the path"),
    "fused_width": Defect(fused_width, "widths_are_those_of_the_tensors", "says 16 and is 48"),
    "inner_out": Defect(inner_out, "block_in_and_out_are_the_blocks_own", "`blocks.1.block.out`"),
    "one_sided": Defect(one_sided, "branches_and_streams_are_told_apart", "its branches alone"),
    "other_writer": Defect(other_writer, "folds_where_it_says", "folding at `blocks.1.attn.out`"),
    "crossed_parts": Defect(crossed_parts, "parts_are_slices", "`blocks.1.qkv.out.v` is no slice"),
    "misnamed_parts": Defect(
        misnamed_parts, "parts_are_called_what_they_are", "`blocks.1.qkv.out` calls q is k"
    ),
    "values_first": Defect(
        values_first, "parts_are_called_what_they_are", "`blocks.0.qkv.out` calls q is v"
    ),
    "rows_of_all": Defect(rows_of_all, "parts_fold_alone", "changes rows of other parts"),
    "other_input": Defect(
        other_input, "input_is_what_the_network_is_given", "another shape is taken"
    ),
    "rounded_port": Defect(rounded_port, "passing_on_changes_nothing", "moves by"),
    "sticky_port": Defect(sticky_port, "ports_leave_nothing_behind", "`blocks.1.mlp` is left"),
    "unread_site": Defect(unread_site, "every_site_acts_on_the_features", "`embed.out` changes"),
    "foreign_embedder": Defect(foreign_embedder, "embedders_make_tokens", "`position` is no part"),
    "other_count": Defect(other_count, "patches_are_as_many_as_it_says", "says 5 and has 4"),
    "square_layout": Defect(kinds.SquareLayout, "layout_of_wide_inputs", "5 places for 9 tokens"),
    "no_prefix": Defect(kinds.NoPrefix, "layout_is_where_tokens_lie", "4 places for 5 tokens"),
    "deaf_layout": Defect(
        kinds.DeafLayout,
        "later_blocks_see_inserted_tokens",
        "5 places for 8 tokens",
    ),
    "fixed_room": Defect(kinds.FixedRoom, "inserted_tokens_leave_again", "behind the block"),
    "ranked": Defect(ranked, "keys_and_values_belong_to_no_token", "block 1: their order moves"),
    "blind_follow": Defect(kinds.BlindFollow, "layout_follows_the_module", "width=2"),
    "other_trunk": Defect(kinds.OtherTrunk, "trunk_is_part_of_the_state", "backbone.cls"),
    "chance_example": Defect(
        kinds.ChanceExample, "example_is_of_the_networks_kind", "torch's generator"
    ),
    "unprepared": Defect(kinds.Unprepared, "encodes_in_bfloat16", "should be the same"),
    "early_levels": Defect(
        kinds.EarlyLevels,
        "levels_are_what_blocks_put_out",
        "not what block 1 puts out",
    ),
    "doubled_inputs": Defect(
        kinds.DoubledInputs,
        "encodes_with_its_own_forward_pass",
        "block 0 is given another",
    ),
    "oldest_first": Defect(
        kinds.OldestFirst, "inserted_tokens_come_out_as_prompts", "prompt 0 is not"
    ),
    "no_class_token": Defect(kinds.NoClassToken, "features_have_their_shapes", "disagree"),
    "mean_as_class": Defect(kinds.MeanAsClass, "features_leave_the_last_norm", "`cls`"),
    "batch_centred": Defect(
        kinds.BatchCentred, "inputs_of_a_batch_do_not_touch", "of input 0 moves"
    ),
    "homebound": Defect(
        kinds.Homebound, "stays_on_the_device_of_its_inputs", "`mul` is given a tensor of the CPU"
    ),
    "reread": Defect(kinds.Reread, "takes_inputs_that_are_not_contiguous", "for such inputs"),
    "noisy_with_gradients": Defect(
        kinds.NoisyWithGradients, "encodes_alike_with_gradients", "random number was drawn"
    ),
    "long_skip": Defect(
        long_skip, "a_pass_can_begin_behind_a_block", "another where a pass begins later"
    ),
    "thawed": Defect(kinds.ThawedEncoding, "lends_itself_to_an_adapter", "`norm.weight`"),
    "counting": Defect(counting, "encoding_leaves_no_trace", "`seen` changed"),
    "hasty": Defect(hasty, "recomputes_to_the_same_gradients", "when blocks are recomputed"),
    "random_weights": Defect(
        random_weights, "builds_the_same_weights_again", "its weights are others"
    ),
    "tuple_spec": Defect(tuple_spec, "facts_are_plain", "input specification"),
    "lying": Defect(lambda built: None, "provides_what_it_says", "`hierarchical`"),
    "adopts_all": Defect(lambda built: None, "adopts_what_it_built", "adopts a linear layer"),
    "healthy": Defect(lambda built: None, "", ""),
    "without_example": Defect(lambda built: None, "", ""),
}


def build(config: Any) -> BuiltBackbone:
    """The tiny one, with the defect of that name."""
    built = tiny_backbone()
    change = DEFECTS[config.name].change
    if isinstance(change, type):
        built.anatomy.__class__ = change
    else:
        change(built)
    return replace(built, source=config.model_dump(mode="json"), label=config.name)


def provides(config: Any) -> frozenset[str]:
    return TRAITS | ({"hierarchical"} if config.name == "lying" else set())


def adopt_own(module: nn.Module) -> BuiltBackbone | None:
    return adopt_all(module) if isinstance(module, TinyBackbone) else None


def adopt_all(module: nn.Module) -> BuiltBackbone:
    built = tiny_backbone()
    return replace(built, module=module)


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    for name in DEFECTS:
        adopt = {"adopts_all": "adopt_all", "healthy": "adopt_own"}.get(name)
        yield Backbone(
            name=name,
            config=named_config(name, PlainConfig),
            build="planted_backbones:build",
            modality="image",
            summary=DEFECTS[name].check or "nothing is wrong with it",
            provides="planted_backbones:provides",
            adopt=f"planted_backbones:{adopt}" if adopt else None,
            examples=() if name == "without_example" else ({},),
        )
