"""What `onlay inspect` shows of each method, beside how far tokens moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from onlay.inspecting import Observation
from onlay.pages.changes import CHANGE
from onlay.pages.observing import observe

UPDATE = "adapter's update"
SIGNALS = {
    "adaptformer": (UPDATE, 2),
    "adapter": (UPDATE, 4),
    "convpass": (UPDATE, 4),
    "mona": (UPDATE, 4),
    "repadapter": (UPDATE, 4),
    "adalink": (UPDATE, 1),
    "unipelt": ("gate", 6),
    "ladder": ("share of the ladder", 2),
}
"""Name, and how many there are in two blocks."""
WEIGHTS = "changes of weights"
PICTURES = {
    "lora": (WEIGHTS, 4, (1, 16, 16)),
    "fact": (WEIGHTS, 8, (1, 16, 32)),
    "metatt": (WEIGHTS, 4, (1, 16, 16)),
    "spectrum": (WEIGHTS, 12, (1, 16, 32)),
    "dynamic_rank": ("gates of parts", 8, (1, 1, 12)),
    "ssf": ("scales and shifts", 14, (2, 4, 4)),
    "ia3": ("scales", 6, (1, 8, 8)),
    "pasta": ("vectors of special tokens", 2, (1, 4, 4)),
    "vpt": ("prompts", 2, (3, 4, 4)),
    "prefix": ("keys and values", 2, (6, 4, 4)),
}
"""Name, how many there are in two blocks, and the shape of one: n pictures of h by w."""
SETTINGS: dict[str, dict[str, Any]] = {
    "adalink": {"rank": 4},
    "ladder": {"reduction": 2},
    "spectrum": {"rank": 4},
    "prefix": {"rows": 3},
    "vpt": {"prompts": 3},
}


def seen(adapted: Any, method: str) -> Observation:
    model = adapted(method, **SETTINGS.get(method, {})).float()
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return observe(model, Path("a.png"), image)


@pytest.mark.parametrize("method", SIGNALS)
def test_signals(method, adapted):
    name, count = SIGNALS[method]
    own = [signal for signal in seen(adapted, method).signals if signal.name != CHANGE]
    assert [signal.name for signal in own] == [name] * count
    for signal in own:
        assert signal.patches_NK.shape == (16, 1)
        assert (signal.patches_NK > 0).all()


@pytest.mark.parametrize("method", PICTURES)
def test_pictures(method, adapted):
    name, count, shape = PICTURES[method]
    pictures = seen(adapted, method).pictures
    assert [picture.name for picture in pictures] == [name] * count
    assert tuple(pictures[-1].values_nhw.shape) == shape
    assert all(picture.values_nhw.any() for picture in pictures)


def test_every_method_with_modules_shows_something(host):
    ours = {name for name in host.methods if host.owner("method", name).name == "baselines"}
    assert ours - {*SIGNALS, *PICTURES} == {"norm_tuning"}


def test_an_update_is_a_share_of_what_is_read(adapted, modules):
    from onlay_baselines.adaptformer import ParallelBottleneck

    model = adapted("adaptformer")
    one, x = modules(model, ParallelBottleneck)[0], torch.randn(1, 5, 16).double()
    found = one.shows(x, one(x))
    torch.testing.assert_close(found[0, 3, 0], one(x)[0, 3].norm() / x[0, 3].norm())


def test_what_stands_in_for_a_map_is_shown_at_its_site(adapted):
    pictures = seen(adapted, "spectrum").pictures
    assert [(p.block, p.site) for p in pictures][-3:] == [
        (1, "attn.out"), (1, "fc1.out"), (1, "mlp.out"),
    ]  # fmt: skip


def test_a_ladder_tells_of_its_gates(adapted):
    model = adapted("ladder", reduction=2, moved=False, temperature=1.0)
    with torch.no_grad():
        for name, parameter in model.trained_parameters().items():
            if name.endswith("alpha"):
                parameter.fill_(1.0)
    values = model.figures().values
    assert values == pytest.approx({f"ladder/gate/block_0{n}": 0.7310586 for n in range(2)})
