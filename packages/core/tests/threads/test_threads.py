"""None"""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import torch
from at_once import at_once, batch, gradients, same
from torch import nn

import onlay
from onlay.errors import AnatomyError
from onlay.features import Grid
from onlay.host import PluginHost
from onlay.testing import tiny_backbone


def test_evaluation_in_threads_gives_every_adapter_its_own_outputs(three, images):
    expected = [model(images) for model in three]
    pairs = list(zip(three, expected, strict=True)) * 2  # and two threads share one adapter
    jobs = [lambda m=m, e=e: torch.equal(m(images), e) for m, e in pairs]
    assert at_once(jobs) == [25] * 6


def test_features_are_what_the_head_reads_and_each_adapters_own(three, images):
    expected = [model(images) for model in three]
    pairs = list(zip(three, expected, strict=True))
    assert all(torch.equal(m.head(m.features(images)), e) for m, e in pairs)
    jobs = [lambda m=m, e=e: torch.equal(m.answer(m.features(images)), e) for m, e in pairs]
    assert at_once(jobs) == [25] * 3
    (level,) = three[0].features(images, levels=(1,)).levels
    assert len(level) == len(images)


@pytest.mark.parametrize("recomputed", [False, True])
def test_training_steps_in_threads_give_every_adapter_its_own_gradients(three, images, recomputed):
    for model in three:
        model.set_grad_checkpointing(recomputed)
    expected = [gradients(model, images) for model in three]
    pairs = zip(three, expected, strict=True)
    jobs = [lambda m=m, e=e: same(gradients(m, images), e) for m, e in pairs]
    outputs = three[2](images)
    jobs[2] = lambda: torch.equal(three[2](images), outputs)  # evaluates beside two that train
    assert at_once(jobs) == [25] * 3


def test_copies_that_are_made_beside_calls_of_others_are_right(three, images):
    """One thread copies what two others call adapters of."""
    expected = [model(images) for model in three]
    jobs = [
        lambda m=m, e=e: torch.equal(m(images), e) for m, e in zip(three, expected, strict=True)
    ]
    jobs[2] = lambda: torch.equal(copy.deepcopy(three[2])(images), expected[2])
    assert at_once(jobs) == [25] * 3
    assert torch.equal(pickle.loads(pickle.dumps(three[1]))(images), expected[1])


@pytest.mark.parametrize("asked", ["trained_parameters", "trained_state", "trainable_report"])
def test_what_a_model_trains_is_not_read_in_the_middle_of_another_call(three, asked):
    """Copies change places with the originals whenever another adapter acts."""
    with ThreadPoolExecutor(1) as pool:
        with three[1].attachments.lock:
            answer = pool.submit(getattr(three[0], asked))
            assert wait([answer], timeout=0.1).done == set()
        assert answer.result(timeout=60) is not None


def test_a_block_is_recomputed_with_the_adapter_of_its_forward_pass(three, images):
    """Two losses, one backward pass, and a third adapter acts meanwhile."""
    expected = [gradients(model, images) for model in three]
    for model in three[:2]:
        model.set_grad_checkpointing(True)
        model.zero_grad()
    total = sum(model.loss(batch(images)) for model in three[:2])
    outputs = three[2](images)
    total.backward()
    for model, gradient in zip(three[:2], expected, strict=False):
        assert same([p.grad for p in model.trained_parameters().values()], gradient)
    assert torch.equal(three[2].anatomy.encode(images).cls, three[2].anatomy.encode(images).cls)
    assert three[0].attachments.active == "three"
    assert torch.equal(three[2](images), outputs)


def test_a_block_is_recomputed_with_the_layout_of_its_forward_pass(built, adapt_with):
    seen = []

    class Asking(nn.Module):
        def __init__(self, layout):
            super().__init__()
            self.layout, self.scale = layout, nn.Parameter(torch.ones(16))

        def forward(self, x):
            seen.append(self.layout())
            return x * self.scale

    def attach(place):
        place.rewrite(place.blocks[1].site("mlp.in"), Asking(place.layout(place.blocks[1])))

    model = adapt_with(built, attach)
    model.set_grad_checkpointing(True)
    seen.clear()
    loss = model(torch.randn(1, 3, 8, 12)).sum() + model(torch.randn(1, 3, 12, 4)).sum()
    loss.backward()
    wide, high = Grid(2, 3, prefix=1), Grid(3, 1, prefix=1)
    assert seen == [wide, high, high, wide]
    assert model.anatomy.layout(0) == high


def test_checkpointing_of_the_backbone_itself_is_refused_where_adapters_are_several(three, images):
    three[0].backbone.set_grad_checkpointing(True)
    three[2](images)
    with pytest.raises(AnatomyError, match="`set_grad_checkpointing\\(\\)` on each adapted model"):
        three[0](images)
    three[0].backbone.set_grad_checkpointing(False)
    three[0](images)


def test_switched_off_in_one_thread_the_others_wait(three, images):
    model, other = three[:2]
    expected, bare = other(images), tiny_backbone().module(images)
    inside, answered = threading.Event(), threading.Event()
    answers = []

    def ask():
        inside.wait(10)
        answers.append(other(images))
        answered.set()

    thread = threading.Thread(target=ask)
    thread.start()
    with model.disabled() as backbone:
        inside.set()
        assert not answered.wait(0.2)
        assert torch.equal(backbone(images), bare)
        model(images)  # this thread's own call has its adapter, and only for its length
        assert torch.equal(backbone(images), bare)
    thread.join(10)
    assert torch.equal(answers[0], expected)


def test_recomputing_while_another_thread_has_it_switched_off_is_a_sentence(three, images):
    """Waiting could be for ever: on a GPU the backward pass has threads of its own."""
    model = three[0]
    model.set_grad_checkpointing(True)
    loss = model.loss(batch(images))
    failures = []

    def backward():
        try:
            loss.backward()
        except AnatomyError as error:
            failures.append(str(error))

    thread = threading.Thread(target=backward)
    with three[1].disabled():
        thread.start()
        thread.join(10)
    assert "leave that `with` block first" in failures[0]


def test_attaching_and_detaching_beside_calls(three, images, built):
    expected, host = three[0](images), PluginHost.discover()

    def come_and_go():
        onlay.adapt(built, "bitfit", name="guest", num_classes=2, host=host).detach()
        return True

    assert at_once([lambda: torch.equal(three[0](images), expected), come_and_go], 10) == [10, 10]


def test_the_tensors_of_a_model_are_its_own_whichever_acts(three, images):
    one, two = three[:2]
    own = {id(p) for p in one.adapter.parameters()}
    two(images)
    assert {id(p) for p in one.parameters() if p.requires_grad} - own == {
        id(p) for p in one.head.parameters()
    }
    two.loss(batch(images)).backward()
    one.zero_grad()
    assert all(p.grad is not None for p in two.adapter.parameters())
    assert two.attachments.active == "two"
    expected = two(images)
    state = {name: tensor + 0.1 for name, tensor in one.state_dict().items()}
    copies = [name for name in state if name.startswith("adapter.thawed.")]
    assert all(
        torch.equal(state[n], state[n.replace("adapter.thawed", "backbone")]) for n in copies
    )
    one.load_state_dict({n: t for n, t in state.items() if "norm2" in n}, strict=False)
    assert torch.equal(two(images), expected)


def test_a_copy_has_a_lock_of_its_own(three, images):
    with three[0].attachments.lock:
        twin = copy.deepcopy(three[1])
    assert twin.attachments.lock is not three[1].attachments.lock
    assert torch.equal(twin(images), three[1](images))


@pytest.mark.parametrize("use", ["detach", "__call__", "merge"])
def test_what_was_detached_says_so(three, images, use, adapt_with, built):
    model = three[0]
    model.detach()
    ask = {"__call__": lambda: model(images)}.get(use, getattr(model, use, None))
    with pytest.raises(AnatomyError, match="`detach` has taken it off"):
        ask()
    adapt_with(built, lambda place: place.thaw(place.blocks[0].module.norm2), name="one")
    with pytest.raises(AnatomyError, match="`one` is attached to nothing any more"):
        ask()


def test_spreading_over_devices_by_threads_is_refused(three):
    with pytest.raises(AnatomyError, match="DistributedDataParallel"):
        three[0]._replicate_for_data_parallel()
