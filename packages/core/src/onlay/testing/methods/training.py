"""Two steps of training."""

from __future__ import annotations

from fnmatch import fnmatch

import torch
from torch import Tensor

from onlay.model.adapted import AdaptedModel
from onlay.model.losses import asked, task_loss
from onlay.testing.case import MethodCase
from onlay.testing.checking import require
from onlay.testing.methods.preparing import prepare
from onlay.testing.methods.running import taken
from onlay.testing.states import bits, changed, listed, step


def check_backbone_is_untouched_by_a_step(case: MethodCase) -> None:
    """Steps of training change no parameter and no buffer of the backbone, not by one bit."""
    built = case.bare()
    before = bits(built.module)
    model = case.model(built)
    step(model, case.batch(model), 2)
    with model.disabled() as bare:
        names = changed(before, bits(bare))
    require(not names, f"{names} of the backbone changed")


def check_trains_exactly_what_it_declares(case: MethodCase) -> None:
    """What requires a gradient is the adapter and the head, and each of these trains; no other
    parameter gets a gradient."""
    model = case.model()
    own = {id(p) for p in model.trained_parameters().values()}
    still = [name for name, p in model.adapter.named_parameters() if not p.requires_grad]
    require(not still, f"{listed(still)} of the adapter does not require a gradient")
    model.train()
    model.loss(case.batch(model)).backward()
    leaked = [
        name
        for name, p in model.named_parameters()
        if id(p) not in own and (p.requires_grad or p.grad is not None)
    ]
    require(not leaked, f"{listed(leaked)} trains, too")
    alien = [name for name, p in model.adapter.named_parameters() if id(p) not in own]
    require(not alien, f"{listed(alien)} of the adapter is not counted as trained")


def check_every_parameter_gets_a_gradient(case: MethodCase) -> None:
    """Within two steps every parameter gets a gradient that is not zero, or the method declares it
    `idle` with a reason."""
    model = case.moved()
    reached: set[str] = set()
    for seed in range(2):
        torch.manual_seed(seed)
        model.train()
        model.loss(case.batch(model)).backward()
        named = model.trained_parameters().items()
        reached |= {n for n, p in named if p.grad is not None and bool(p.grad.any())}
        for parameter in model.trained_parameters().values():
            parameter.grad = None
        _shift(model)
    idle = [n for n in model.trained_parameters() if n not in reached and not _idle(case, n)]
    require(not idle, f"{listed(idle)} never gets a gradient")


def _shift(model: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.01 * torch.randn_like(parameter))


def _idle(case: MethodCase, name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in case.method.idle)


def check_auxiliary_loss_is_a_finite_scalar(case: MethodCase) -> None:
    """What the method's modules add to the loss is a finite scalar in training, and it is added
    once."""
    model = case.lent().train()
    inputs, targets = batch = case.batch(model)
    state = taken(model)
    torch.manual_seed(0)
    for views in asked(model.adapter, "views"):
        inputs = views(inputs)
    output = model(inputs)
    own = task_loss(model.adapter, model.head, output, targets, training=True)
    added = [auxiliary() for auxiliary in asked(model.adapter, "auxiliary_loss")]
    for value in added:
        require(value.ndim == 0, f"an auxiliary loss has the shape {tuple(value.shape)}")
        require(bool(value.isfinite()), f"an auxiliary loss is {value.item()}")
    expected = sum(added, own)
    model.load_trained_state(state)  # a running mean has moved
    torch.manual_seed(0)
    whole = model.loss(batch)
    require(bool(whole.isclose(expected)), f"the loss is {whole:.4g}, its parts {expected:.4g}")


def check_evaluation_leaves_no_auxiliary_loss(case: MethodCase) -> None:
    """A pass in evaluation leaves nothing for `auxiliary_loss`: no part of it is in the loss in
    evaluation, nor in that of the next batch in training."""
    model = case.lent()
    batch = case.batch(model)
    state = taken(model)
    expected = _loss(model.train(), batch)
    model.load_trained_state(state)
    model.eval()
    _left(model, batch[0])  # what training has left is gone with it
    few, all_of_them = _left(model, batch[0][:1]), _left(model, batch[0])
    same = bool((few - all_of_them).abs() <= 1e-6)
    require(
        same, f"in evaluation it adds {all_of_them:.2g} to the loss, and {few:.2g} of one input"
    )
    with torch.no_grad():
        model(batch[0])
    loss = _loss(model.train(), batch)
    told = f"{loss:.4g} behind a pass in evaluation, and {expected:.4g} without"
    require(bool(loss.isclose(expected)), f"the loss in training is {told}")


def _loss(model: AdaptedModel, batch: tuple[Tensor, Tensor]) -> Tensor:
    torch.manual_seed(0)
    return model.loss(batch).detach()


@torch.no_grad()
def _left(model: AdaptedModel, inputs: Tensor) -> Tensor:
    """What modules add to the loss of a pass; a penalty on weights is there in any."""
    model(inputs)
    torch.manual_seed(0)
    found = [auxiliary() for auxiliary in asked(model.adapter, "auxiliary_loss")]
    return sum(found, torch.zeros(()))


def adds_no_loss(case: MethodCase) -> str:
    found = asked(case.lent().adapter, "auxiliary_loss")
    return "" if found else "no module brings `auxiliary_loss`"


def check_trains_alike_under_a_seed(case: MethodCase) -> None:
    """Two trainings under one seed, each with its `prepare`, give the same values, bit for bit:
    every random number comes from torch's generator."""
    states = []
    for _ in range(2):
        model = case.model()
        torch.manual_seed(7)
        prepare(case, model)
        step(model, case.batch(model), 2)
        states.append(bits(model.adapter))
    require(not (names := changed(*states)), f"{names} differ between two equal trainings")


def of_one_view(case: MethodCase) -> str:
    return "" if asked(case.lent().adapter, "loss") else "no module brings a `loss` of its own"


def check_views_and_loss_leave_the_batch(case: MethodCase) -> None:
    """What a module makes of a batch in training, and its own loss of that, leave inputs and
    targets as they are; the loss is a finite scalar."""
    model = case.lent().train()
    batch = case.batch(model)
    before = [part.clone() for part in batch]
    loss = model.loss(batch)
    for name, part, old in zip(("inputs", "targets"), batch, before, strict=True):
        require(bool((part == old).all()), f"the {name} of the batch have changed")
    require(loss.ndim == 0, f"the loss has the shape {tuple(loss.shape)}")
    require(bool(loss.isfinite()), f"the loss is {loss.item()}")


def check_goes_on_from_its_tensors(case: MethodCase) -> None:
    """A step after a step equals, bit for bit, a step of a fresh adapter that was given the tensors
    in between: what `after_step` and others change lies in buffers, and a stopped run goes on."""
    model = case.model()
    batch = case.batch(model)
    step(model, batch)
    between = taken(model)
    fresh = case.model()
    fresh.load_trained_state(between)
    ends = []
    for each in (model, fresh):
        torch.manual_seed(7)
        step(each, batch, done=1)
        ends.append(taken(each))
    require(not (names := changed(*ends)), f"{names} differ after another step")
