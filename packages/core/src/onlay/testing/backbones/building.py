"""Building a backbone again, recognising it, and lending it to an adapter."""

from __future__ import annotations

import json

import torch
from torch import nn

from onlay.anatomy import BuiltBackbone, Placement, Site
from onlay.anatomy.attachments import Attachments
from onlay.anatomy.liveness import check_frozen, prove_alive
from onlay.bundle.fingerprint import fingerprint
from onlay.config import parse
from onlay.descriptors import resolve
from onlay.errors import OnlayError
from onlay.model.assemble import build_backbone
from onlay.testing.backbones.case import BackboneCase
from onlay.testing.backbones.watching import encoded, outputs_of
from onlay.testing.checking import Broken, require
from onlay.testing.states import apart, bits, changed, listed, tree

CLOSE = 1e-5


def no_adopt(case: BackboneCase) -> str:
    return "" if case.backbone.adopt else "it adopts no models"


def check_builds_the_same_weights_again(case: BackboneCase) -> None:
    """Two builds, and one from `source`, have one fingerprint and the same sites, whatever torch's
    seed: a bundle is bound to them."""
    first = case.built
    require(first.source, "`source` is empty, so nothing can build it again")
    source = json.loads(json.dumps(dict(first.source)))
    torch.manual_seed(2)
    rebuilt = build_backbone(parse("backbone", source, case.host), case.host)
    for other, how in ((case.again(seed=1), "built again"), (rebuilt, "built from `source`")):
        same = fingerprint(other.anatomy.trunk()) == case.fingerprint
        require(same, f"{how}, its weights are others")
        require(_sites(first) == _sites(other), f"{how}, its sites are others")


def _sites(built: BuiltBackbone) -> list[tuple[str, int]]:
    return [(site.path, site.width) for site in built.anatomy.all_places()]


def check_facts_are_plain(case: BackboneCase) -> None:
    """The input specification can be written as JSON, the modality is the registered one, and there
    is a name for people."""
    built = case.built
    again = json.loads(json.dumps(dict(built.input_spec)))
    require(again == dict(built.input_spec), f"the input specification is read back as {again}")
    require(built.modality == case.backbone.modality, f"its modality is `{built.modality}`")
    require(built.label.strip(), "its `label` is empty")


def check_trunk_is_part_of_the_state(case: BackboneCase) -> None:
    """`trunk` gives tensors of the module's state dict under their own names."""
    state, trunk = case.built.module.state_dict(), case.anatomy.trunk()
    require(trunk, "it is empty")
    alien = [name for name, tensor in trunk.items() if not _is(tensor, state.get(name))]
    require(not alien, f"{listed(alien)} is not in the state dict")


def _is(tensor: torch.Tensor, other: torch.Tensor | None) -> bool:
    return other is not None and tensor.shape == other.shape and torch.equal(tensor, other)


def check_adopts_what_it_built(case: BackboneCase) -> None:
    """`adopt` recognises the module that `build` made, takes it as it is and finds the same sites;
    of a module that is not its own it says `None`."""
    adopt, built = resolve(case.backbone.adopt or ""), case.copied()
    before = tree(built.module)
    adopted = adopt(built.module)
    require(adopted is not None, "it does not know its own module")
    require(adopted.module is built.module, "it is another module")
    require(tree(built.module) == before, "adopting changes the module")
    require(_sites(adopted) == _sites(built), "its sites are others")
    same = adopted.anatomy.provides == built.anatomy.provides
    require(same and adopted.modality == built.modality, "its traits or its modality are others")
    require(adopt(nn.Linear(2, 2)) is None, "it adopts a linear layer")


def check_lends_itself_to_an_adapter(case: BackboneCase) -> None:
    """An adapter at every site and every part of one is met, trains alone, and leaves module tree,
    tensors and features bit for bit as they were."""
    built = case.copied()
    built.module.requires_grad_(True)
    inputs = case.inputs()
    features, before, values = (
        encoded(built.anatomy, inputs),
        tree(built.module),
        bits(built.module),
    )
    place = Placement(built.anatomy)
    for site in built.anatomy.all_places():
        place.rewrite(site, _Scale(site))
    attachments = Attachments.of(built.module)
    attachments.add("everywhere", place.adapter)
    check_frozen(built.module, place.adapter)
    prove_alive(place.adapter)
    built.anatomy.encode(inputs).patches.sum().backward()
    trained = [name for name, p in built.module.named_parameters() if p.grad is not None]
    require(not trained, f"{listed(trained)} of the backbone gets a gradient")
    attachments.remove("everywhere", built.module)
    require(not (names := changed(values, bits(built.module))), f"{names} changed")
    after = tree(built.module)
    odd = [name or "the network" for name in before | after if before.get(name) != after.get(name)]
    require(not odd, f"{listed(odd)} is left with other hooks, attributes or tensors")
    for name, tensor in encoded(built.anatomy, inputs).items():
        require(torch.equal(tensor, features[name]), f"`{name}` is another afterwards")


class _Scale(nn.Module):
    def __init__(self, site: Site) -> None:
        super().__init__()
        self.scale = nn.Parameter(site.spread(torch.ones(site.width)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


def check_recomputes_to_the_same_gradients(case: BackboneCase) -> None:
    """`set_grad_checkpointing`, where the module has it, changes no feature and no gradient, or it
    refuses in a sentence."""
    built = case.copied()
    setter = getattr(built.module, "set_grad_checkpointing", None)
    if setter is None:
        return
    plain = _gradients(built, case)
    try:
        setter(True)
    except OnlayError as error:
        require(len(str(error).split()) > 4, f"the refusal gives no reason: {error}")
        return
    for name, (got, expected) in _pairs(_gradients(built, case), plain):
        worst = apart(got, expected)
        require(worst <= CLOSE, f"{name} differs by {worst:.2g} when blocks are recomputed")


def _gradients(built: BuiltBackbone, case: BackboneCase) -> dict[str, torch.Tensor]:
    """Features, and the gradients of a scale at the entry of every block."""
    place = Placement(built.anatomy)
    for block in built.anatomy.blocks:
        place.rewrite(block.site("block.in"), _Scale(block.site("block.in")))
    attachments = Attachments.of(built.module)
    attachments.add("recomputed", place.adapter)
    features = outputs_of(built.anatomy.encode(case.inputs()))
    sum((tensor.square().sum() for tensor in features.values()), torch.zeros(())).backward()
    found = {f"`{name}`": tensor.detach() for name, tensor in features.items()}
    for name, parameter in place.adapter.named_parameters():
        if parameter.grad is None:
            raise Broken(f"no gradient reaches {name}")
        found[f"the gradient at {name}"] = parameter.grad
    attachments.remove("recomputed", built.module)
    return found


def _pairs(
    one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]
) -> list[tuple[str, tuple[torch.Tensor, torch.Tensor]]]:
    return [(name, (one[name], other[name])) for name in other]
