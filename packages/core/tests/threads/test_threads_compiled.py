"""Several adapters on one backbone that are compiled."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import torch
from at_once import at_once, batch, gradients, same

from onlay.errors import AnatomyError
from onlay.testing import tiny_backbone


@pytest.fixture
def built():
    """Of one block: what takes long grows with their number."""
    return tiny_backbone(depth=1)


@pytest.mark.parametrize("recomputed", [False, True])
def test_compiled_models_keep_their_values(three, images, recomputed):
    model = three[1]
    model.set_grad_checkpointing(recomputed)
    expected, gradient = model(images), gradients(model, images)
    torch.compiler.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=not recomputed)
    model.zero_grad()
    output = compiled(images)
    torch.testing.assert_close(output, expected)
    model.loss_of(output, batch(images)[1]).backward()
    for p, g in zip(model.trained_parameters().values(), gradient, strict=True):
        torch.testing.assert_close(p.grad, g)


def test_compiled_models_take_turns(three, images):
    expected = [model(images) for model in three]
    torch.compiler.reset()
    models = [compiled(model) for model in three[:2]] + [three[2]]
    pairs = zip(models, expected, strict=True)
    jobs = [lambda m=m, e=e: torch.equal(m(images), e) for m, e in pairs]
    with torch._dynamo.config.patch(recompile_limit=2):  # each change of adapters compiles anew
        assert at_once(jobs, calls=8) == [8, 8, 8]


def test_a_turn_breaks_no_graph(three, images):
    expected = [model(images) for model in three[:2]]
    torch.compiler.reset()
    assert same([compiled(model, fullgraph=True)(images) for model in three[:2]], expected)


def test_compiled_features_are_the_models_own_whichever_acts(three, images):
    expected = [model.features(images).patches for model in three[:2]]
    torch.compiler.reset()
    asked = [torch.compile(model.features, backend="eager") for model in three[:2]]
    assert same([features(images).patches for features in asked], expected)


def compiled(model, in_place=False, fullgraph=False):
    if not in_place:
        return torch.compile(model, backend="eager", fullgraph=fullgraph)
    model.compile(backend="eager", fullgraph=fullgraph)
    return model


def test_a_model_that_is_compiled_in_place_waits_for_its_turn(three, images):
    expected = three[1](images)
    model = compiled(three[1], in_place=True)
    with ThreadPoolExecutor(1) as pool:
        with model.attachments.lock:
            call = pool.submit(model, images)
            wait([call], timeout=0.5)
            assert not call.done()
        assert torch.equal(call.result(), expected)


def test_a_copy_of_a_compiled_model_is_not_compiled(three, images):
    expected = three[1](images)
    model = compiled(three[1], in_place=True)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin._compiled_call_impl is None
        assert twin.__call__.__self__ is twin
        assert torch.equal(twin(images), expected)


def test_a_compiled_model_that_was_detached_says_so(three, images):
    torch.compiler.reset()
    model = compiled(three[0])
    model(images)
    three[0].detach()
    with pytest.raises(AnatomyError, match="`detach` has taken it off"):
        model(images)
