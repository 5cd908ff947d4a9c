"""SAM on numbers worked out by hand."""

import pytest
import torch
from torch import Tensor

from onlay.config.train import TrainConfig
from onlay_example_sam.config import SamConfig
from onlay_example_sam.sam import build


def stepped(start: list[float], **settings: float) -> tuple[Tensor, list[list[float]]]:
    """The weights behind one step on x^2 / 2 + 8 y^2, and where gradients were taken."""
    weights, places = torch.nn.Parameter(torch.tensor(start)), []
    sam = build([{"params": [weights]}], TrainConfig(lr=0.5), SamConfig(**settings))
    for group in sam.param_groups:
        group["weight_decay"] = 0.0

    def closure() -> Tensor:
        places.append(weights.tolist())
        sam.zero_grad()
        with torch.enable_grad():
            loss = (weights * weights * torch.tensor([0.5, 8.0])).sum()
            loss.backward()
        return loss.detach()

    assert sam.needs_closure
    closure()
    assert sam.step(closure) == pytest.approx(closure_at(places[1]))
    return weights.detach(), places


def closure_at(place: list[float]) -> float:
    return 0.5 * place[0] ** 2 + 8 * place[1] ** 2


def test_the_gradient_is_taken_rho_uphill_and_the_step_from_the_start() -> None:
    """At (3, 0.25) the slope is (3, 4), of length 5: a tenth of it is (0.06, 0.08)."""
    weights, places = stepped([3.0, 0.25], rho=0.1)
    assert places == [[3.0, 0.25], pytest.approx([3.06, 0.33])]
    # Adam's first step is lr in the gradient's direction, tensor by tensor
    assert weights.tolist() == pytest.approx([2.5, -0.25])


def test_adaptive_the_way_is_measured_in_sizes_of_weights() -> None:
    """Slopes times sizes (9, 1), of length 9.0554; times sizes again, and a tenth of that."""
    _, places = stepped([3.0, 0.25], rho=0.1, adaptive=True)
    assert places[1] == pytest.approx([3 + 2.7 / 9.0554, 0.25 + 0.025 / 9.0554], abs=1e-5)


def test_what_a_gradient_never_reached_stays() -> None:
    still, moved = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    sam = build([{"params": [still, moved]}], TrainConfig(lr=0.1), SamConfig())
    moved.grad = torch.ones(2)
    sam.step(lambda: torch.zeros(()))
    assert torch.equal(still, torch.ones(2))
    assert bool((moved < 1).all())
