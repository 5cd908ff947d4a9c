"""What `adapt` takes as classes and as a backbone, and the sentence for what it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from touch_modality import Tactile

import onlay
from onlay.config import parse
from onlay.errors import ConfigError, DataError
from onlay.host import PluginHost
from onlay.model.assemble import attach
from onlay.model.class_names import class_names
from onlay.testing import tiny_backbone


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ("cat", r"must be a list of class names, such as .* \(got `'cat'`\)"),
        (["a", "b", "a"], "names the class `a` more than once"),
        ([], "`labels` is empty"),
        (5, r"got a `int`\); for their number alone give `num_classes`"),
        ({"a", "b"}, "in the order of the outputs"),
        ({0: "cat", 1: "dog"}, "in the order of the outputs"),
        (["a", None], "must be a text that is not empty: `None`"),
        (["a", " "], "must be a text that is not empty"),
    ],
)
def test_labels_that_are_no_list_of_different_names(labels: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as error:
        onlay.adapt(tiny_backbone(), "linear", labels=labels, host=PluginHost.discover(only=""))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("count", [0, -3, 2.5, True, "three"])
def test_a_number_of_classes_that_is_none(count: Any) -> None:
    with pytest.raises(ConfigError, match="must be a whole number from 1 on"):
        class_names(None, count)


def test_labels_as_arrays_and_numbers() -> None:
    assert class_names(np.array(["cat", "dog"])) == ("cat", "dog")
    assert class_names(range(3)) == ("0", "1", "2")
    assert class_names(None, np.int64(2)) == ("0", "1")


@pytest.mark.parametrize("backbone", [None, 5, ["vit"]])
def test_what_is_no_backbone(backbone: Any) -> None:
    with pytest.raises(ConfigError, match="give the backbone as a name"):
        onlay.adapt(backbone, "linear", num_classes=2, host=PluginHost.discover(only=""))


class FSDPLinear(nn.Linear):
    """What torch's `fully_shard` makes of a class."""


def test_a_sharded_module_is_refused_in_words() -> None:
    with pytest.raises(onlay.errors.AnatomyError, match="adapt it first, then shard"):
        onlay.adapt(nn.Sequential(FSDPLinear(2, 2)), "linear", num_classes=2)


def test_a_module_without_any_backbone() -> None:
    with pytest.raises(onlay.errors.AnatomyError, match="knows the anatomy of a `Sequential`"):
        onlay.adapt(nn.Sequential(nn.Linear(2, 2)), "linear", num_classes=2)


@pytest.mark.parametrize("name", [None, "", 3, ["a"]])
def test_a_name_of_an_adapter_is_a_text(name: Any) -> None:
    with pytest.raises(ConfigError, match="`name` must be a text that is not empty"):
        onlay.adapt(tiny_backbone(), "linear", num_classes=2, name=name)


@pytest.mark.parametrize("given", [[1], "mean", {"mean": [float("nan")]}, {"a": object()}, {1: 2}])
def test_preprocessing_that_no_bundle_holds_is_refused_before_training(given: Any) -> None:
    with pytest.raises(ConfigError, match="`preprocessing`"):
        onlay.adapt(tiny_backbone(), "linear", num_classes=2, preprocessing=given)


def test_preprocessing_that_no_bundle_could_be_loaded_with_is_refused_before_training() -> None:
    host, built = PluginHost.discover(only=""), tiny_backbone()
    host.add(Tactile(), name="tactile")
    built.modality = "touch"
    for given, place in (({"size": "64 mm"}, "size"), ({"mean": ["dark"]}, "mean.0")):
        with pytest.raises(ConfigError, match=rf"`touch` cannot prepare.*`preprocessing\.{place}`"):
            onlay.adapt(built, "linear", num_classes=2, preprocessing=given, host=host)
    with pytest.raises(ConfigError, match=r"`preprocessing\.means`: unknown.*mean `mean`\?"):
        onlay.adapt(built, "linear", num_classes=2, preprocessing={"means": [0.5]}, host=host)
    left_out = {"mean": [0.5], "of_a_data_set": 1}
    model = onlay.adapt(built, "linear", num_classes=2, preprocessing=left_out, host=host)
    assert model.preprocessing == left_out


def test_a_data_set_may_call_its_facts_as_it_likes() -> None:
    host, built = PluginHost.discover(only=""), tiny_backbone()
    host.add(Tactile(), name="tactile")
    built.modality = "touch"
    model = attach(
        built,
        parse("method", "linear", host),
        host.find("method", "linear"),
        nn.Linear(4, 2),
        task=parse("task", "classification", host),
        preprocessing={"means": 1},
        host=host,
    )
    assert model.preprocessing == {"means": 1}


def test_a_loss_takes_one_pair() -> None:
    model = onlay.adapt(tiny_backbone(), "linear", num_classes=2)
    inputs, targets = torch.rand(2, 3, 8, 8), torch.tensor([0, 1])
    for given in ((inputs, targets), (inputs,), ((inputs, targets, targets),)):
        with pytest.raises(DataError, match=r"one pair: `model\.loss\(\(inputs, targets\)\)`"):
            model.loss(*given)
    assert torch.equal(model.loss([inputs, targets]), model(inputs, targets))


def test_labels_that_no_file_can_hold() -> None:
    with pytest.raises(ConfigError, match="cannot be written as UTF-8"):
        class_names(["cat", "d\udc80g"])


@pytest.mark.parametrize("given", [None, 3, b"folder"])
def test_folders_are_texts_or_paths(given: Any) -> None:
    with pytest.raises(ConfigError, match=f"not as a `{type(given).__name__}`"):
        onlay.load(given)
    model = onlay.adapt(tiny_backbone(), "linear", num_classes=2)
    with pytest.raises(ConfigError, match=f"not as a `{type(given).__name__}`"):
        model.save_pretrained(given)


def test_within_inference_mode_it_makes_what_can_be_trained() -> None:
    backbone, host = tiny_backbone(), PluginHost.discover(only="")
    with torch.inference_mode():
        model = onlay.adapt(backbone, "bitfit", num_classes=2, host=host)
        assert torch.is_inference_mode_enabled()
    model.loss((torch.rand(2, 3, 8, 8), torch.tensor([0, 1]))).backward()
    assert all(p.grad is not None for p in model.trained_parameters().values())


def test_a_backbone_of_inference_mode_is_refused_in_words() -> None:
    with torch.inference_mode():
        backbone = tiny_backbone()
    with pytest.raises(onlay.errors.AnatomyError, match="passes no gradient on"):
        onlay.adapt(backbone, "linear", num_classes=2, host=PluginHost.discover(only=""))
