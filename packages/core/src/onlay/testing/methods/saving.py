"""A trained adapter as a folder."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

import onlay
from onlay.bundle.writing import TENSORS
from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.states import listed, step


def no_accelerator(case: MethodCase) -> str:
    return "" if torch.accelerator.is_available() else "there is no accelerator here"


def check_bundle_holds_the_adapter_alone(case: MethodCase) -> None:
    """A bundle holds the tensors of adapter and head, each once, and none of the backbone."""
    model = case.lent()
    with tempfile.TemporaryDirectory() as folder:
        tensors = load_file(model.save_pretrained(Path(folder) / "bundle") / TENSORS)
    alien = [name for name in tensors if not name.startswith(("adapter.", "head."))]
    require(not alien, f"it holds {listed(alien)}, too")
    with model.disabled() as bare:
        frozen = [tensor for tensor in bare.state_dict().values() if tensor.numel() > 1]
        own = set(model.trained_parameters())
        taken = [
            name
            for name, tensor in tensors.items()
            if name not in own and any(_equal(tensor, other) for other in frozen)
        ]
    require(not taken, f"{listed(taken)} is a tensor of the backbone")
    report = model.trainable_report()
    trained = sum(tensors[name].numel() for name in own if name in tensors)
    expected = report.method + report.head + report.other
    require(trained == expected, f"it holds {trained:,} trained numbers of {expected:,}")


def check_bundle_reloads_to_the_same_outputs(case: MethodCase) -> None:
    """A bundle written after training gives a fresh backbone the very same outputs, whatever the
    seed at loading."""
    model = case.model()
    step(model, case.batch(model), 2)
    reloads(case, model, "cpu")


def check_conversion_keeps_state_and_network_one(case: MethodCase) -> None:
    """Converted to float64 and back after attaching, what trains and what moves is still what the
    network computes with: a bundle written after further steps gives its outputs."""
    model = case.model()
    batch = case.batch(model)
    step(model, batch)
    model.double().float()
    step(model, batch, 2)
    named = dict(model.adapter.named_parameters()) | dict(model.adapter.named_buffers())
    for swap in model.adapter.swaps:
        own = named[f"thawed.{swap.path}"]
        require(own is swap.copy, f"`{swap.path}` of the bundle is not that of the network")
    reloads(case, model, "cpu")


def check_bundle_of_an_accelerator_loads_on_the_cpu(case: MethodCase) -> None:
    """A bundle that was written on an accelerator loads on the CPU and gives its outputs there."""
    device = torch.accelerator.current_accelerator()
    model = case.moved().to(device)
    reloads(case, model, "cpu", close=1e-4)


def reloads(case: MethodCase, model: onlay.AdaptedModel, device: str, close: float = 0) -> None:
    """Require the same outputs of a fresh backbone that is given the bundle of a model."""
    inputs, _ = case.batch(model)
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        expected = model(inputs).to(device)
        model.save_pretrained(Path(folder) / "bundle")
        torch.manual_seed(99)
        again = onlay.load(Path(folder) / "bundle", backbone=case.bare(), host=case.host)
        worst = (again(inputs.to(device)) - expected).abs().max().item()
    require(worst <= close, f"outputs differ by {worst:.2g} after reloading")


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other.detach().cpu().to(one))
