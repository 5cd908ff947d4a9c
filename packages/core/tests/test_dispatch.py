"""Token dispatch: between two maps of a block there are fewer rows than tokens."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from onlay.anatomy.liveness import prove_alive
from onlay.errors import AnatomyError
from onlay.testing import tiny_backbone


class Router(nn.Module):
    """Returns its very input and keeps which tokens pass: a hard gate, straight through while
    gradients are on."""

    def __init__(self, width=16, *, hard="straight"):
        super().__init__()
        g = torch.Generator().manual_seed(4)
        self.score = nn.Parameter(torch.randn(width, generator=g))
        self.hard = hard
        self.mask = None

    def forward(self, x):
        u = (x @ self.score).sigmoid()
        open_ = (u > 0.5).to(x.dtype)
        straight = {"straight": torch.is_grad_enabled(), "training": self.training}[self.hard]
        self.mask = open_ - u.detach() + u if straight else open_
        return x


class Gather(nn.Module):
    def __init__(self, map, router):
        super().__init__()
        self.twin, self.router = [map.twin()], [router]

    def forward(self, x):
        mask = self.router[0].mask
        return self.twin[0](x if mask.requires_grad else x[mask > 0.5])


class Scatter(Gather):
    def forward(self, h):
        mask = self.router[0].mask
        if mask.requires_grad:
            return mask[..., None] * self.twin[0](h)
        out = h.new_zeros(*mask.shape, self.twin[0].out_features)
        out[mask > 0.5] = self.twin[0](h)
        return out


def dispatch(place, scatter=Scatter, hard="straight"):
    for block in place.blocks:
        router = Router(hard=hard)
        place.rewrite(block.site("mlp.res"), router)
        for name, kind in (("fc1.out", Gather), ("mlp.out", scatter)):
            if kind is not None:
                (map,) = place.maps(block.site(name))
                place.replace(map, kind(map, router))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_packed_rows_give_what_masked_rows_give(built, adapt_with, batch):
    model = adapt_with(built, dispatch).eval()
    images = torch.randn(batch, 3, 8, 12, generator=torch.Generator().manual_seed(batch))
    rows = []
    for block in built.module.blocks:
        block.mlp.fc1.register_forward_hook(lambda m, a, out: rows.append(out.shape[:-1]))
    masked = model(images)
    kept = [int((b.mlp_res.rewrites[0].mask > 0.5).sum()) for b in model.adapter.blocks.children()]
    assert rows == [(batch, 7)] * 2
    rows.clear()
    with torch.no_grad():
        packed = model(images)
    assert rows == [(n,) for n in kept]
    assert 0 < sum(kept) < 2 * 7 * batch
    torch.testing.assert_close(packed, masked)


@pytest.mark.parametrize("sign", [-1, 1])
def test_no_token_and_all_tokens_may_pass(built, images, adapt_with, sign):
    model = adapt_with(built, dispatch).eval()
    for block in model.adapter.blocks.children():
        router = block.mlp_res.rewrites[0]
        router.forward = lambda x, r=router: (
            setattr(r, "mask", torch.full(x.shape[:-1], float(sign > 0))),
            x,
        )[1]
    with torch.no_grad():
        found = model.backbone(images)
        with model.disabled() as bare:
            whole = bare(images)
    assert bool(found.isfinite().all())
    assert torch.allclose(found, whole, atol=1e-6) == (sign > 0)


def test_a_gate_that_is_straight_through_in_training_alone_is_alive(built, adapt_with):
    """The second look is in training, and leaves modes, buffers and generators as they were."""

    class Noisy(Router):
        def __init__(self):
            super().__init__(hard="training")
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            if self.training:
                self.calls += 1
                torch.rand(())
            return super().forward(x)

    noisy = Noisy()

    def attach(place):
        block = place.blocks[0]
        place.rewrite(block.site("mlp.res"), noisy)
        (map,) = place.maps(block.site("mlp.out"))
        place.replace(map, Scatter(map, noisy))
        (map,) = place.maps(block.site("fc1.out"))
        place.replace(map, Gather(map, noisy))

    model = adapt_with(built, attach, verify=False)
    state = torch.get_rng_state()
    model.eval()
    prove_alive(model.adapter)
    assert torch.equal(torch.get_rng_state(), state)
    assert not noisy.training
    assert noisy.calls == 0


def test_a_gate_that_no_gradient_ever_passes_is_named(built, adapt_with):
    class Deaf(Router):
        def forward(self, x):
            self.mask = (x @ self.score > 0).to(x.dtype)
            return x

    def attach(place):
        place.rewrite(place.blocks[0].site("mlp.res"), Deaf())

    with pytest.raises(AnatomyError, match=r"`blocks.0.mlp_res.rewrites.0.score` would never"):
        adapt_with(built, attach)


class Lost(Scatter):
    def forward(self, h):
        return self.twin[0](h)


class OneTooMany(Scatter):
    def forward(self, h):
        out = super().forward(h)
        return torch.cat([out, out[:, :1]], dim=1)


@pytest.mark.parametrize("scatter", [None, Lost, OneTooMany])
def test_rows_that_do_not_come_back_are_named(built, images, adapt_with, scatter):
    model = adapt_with(built, lambda p: dispatch(p, scatter), verify=False).eval()
    sentence = r"`blocks.0.mlp.out` has the rows \(.*\) where `blocks.0.mlp.in` has \(2, 7\)"
    with pytest.raises(AnatomyError, match=sentence), torch.no_grad():
        model(images)


def test_a_whole_step_recomputed_and_detached(images, adapt_with):
    built = tiny_backbone()
    model = adapt_with(built, dispatch).train()
    batch = images, torch.tensor([0, 1])
    model.loss(batch).backward()
    expected = {n: p.grad.clone() for n, p in model.trained_parameters().items()}
    model.zero_grad()
    model.set_grad_checkpointing()
    model.loss(batch).backward()
    for name, p in model.trained_parameters().items():
        torch.testing.assert_close(p.grad, expected[name], rtol=0, atol=1e-6)
    assert all(g.abs().max() > 0 for g in expected.values())
    hooks = [len(m._forward_hooks) for m in model.detach().modules()]
    assert not any(hooks)


def test_a_branch_to_where_fewer_rows_pass_is_refused_in_words(built, images, adapt_with):
    def attach(place):
        dispatch(place)
        block = place.blocks[0]
        place.branch(block.site("mlp.in"), block.site("fc2.in"), nn.Linear(16, 32))

    model = adapt_with(built, attach).eval()
    model(images)  # masked: all rows pass
    told = r"a branch into `blocks\.0\.fc2\.in` gives \(2, 7, 32\) where \(\d+, 32\) passes"
    with pytest.raises(AnatomyError, match=told), torch.no_grad():
        model(images)
