"""The classification task, by numbers worked out by hand."""

import math
from types import SimpleNamespace

import pytest
import torch

from onlay.errors import AnatomyError, ConfigError, DataError
from onlay.features import Features, Grid
from onlay.tasks.class_weights import balanced_weights
from onlay.tasks.classification import ClassificationHead
from onlay.tasks.config import ClassificationConfig

LABELS = ("cat", "dog", "owl")


def head(width=2, labels=LABELS, **settings):
    config = ClassificationConfig(**settings)
    return ClassificationHead(config, width * len(config.pool.split("+")), labels)


def splits(counts):
    return SimpleNamespace(facts={"counts": {"train": counts}} if counts else {})


def features(prompts=0, cls=True):
    return Features(
        cls=torch.tensor([[1.0, 2.0]]) if cls else None,
        prompts=torch.tensor([[[10.0, 0.0], [20.0, 2.0]]])[:, :prompts],
        patches=torch.tensor([[[0.0, 8.0], [4.0, 2.0]]]),
        layout=Grid(1, 2),
        pooled=torch.tensor([[-1.0, -2.0]]),
        inputs=None,
    )


def test_loss_is_cross_entropy():
    # logits ln(1, 2, 5): probabilities 1/8, 2/8, 5/8
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]))
    loss = head().loss(logits, torch.tensor([2, 0]))
    assert loss.item() == pytest.approx((math.log(8 / 5) + math.log(8)) / 2, abs=1e-6)


def test_label_smoothing_spreads_its_share_over_all_classes():
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0]]))
    loss = head(label_smoothing=0.3).loss(logits, torch.tensor([2]))
    # target (0.1, 0.1, 0.8)
    expected = 0.1 * math.log(8) + 0.1 * math.log(4) + 0.8 * math.log(8 / 5)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_listed_class_weights_make_a_weighted_mean():
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]))
    loss = head(class_weights=(1.0, 1.0, 3.0)).loss(logits, torch.tensor([2, 0]))
    assert loss.item() == pytest.approx((3 * math.log(8 / 5) + math.log(8)) / 4, abs=1e-6)


def test_shares_make_the_loss_of_several_batches_that_of_one():
    """Targets owl, cat, dog with weights 3, 1, 0: (3 ln(8/5) + ln 8) / 4, in batches of 2 and 1;
    the shares are 2 * 4/4 and 2 * 0/4. A batch of one is the same whatever its weight, and a batch
    without weight is 0."""
    model = head(class_weights=(1.0, 0.0, 3.0))
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0]] * 3)).requires_grad_()
    targets = torch.tensor([2, 0, 1])
    whole = model.loss(logits, targets)
    assert whole.item() == pytest.approx((3 * math.log(8 / 5) + math.log(8)) / 4, abs=1e-6)
    weights = [model.weight_of(targets[part]) for part in (slice(2), slice(2, 3))]
    assert [weight.item() for weight in weights] == [4, 0]
    losses = [model.loss(logits[part], targets[part]) for part in (slice(2), slice(2, 3))]
    assert (losses[0] * 2 * 4 / 4 + losses[1] * 2 * 0 / 4).item() / 2 == pytest.approx(whole.item())
    assert losses[1].item() == 0
    losses[1].backward()
    assert logits.grad.isfinite().all()
    assert model.loss(logits[:1], targets[:1]).item() == pytest.approx(math.log(8 / 5), abs=1e-6)
    assert head().weight_of(targets) is None


def test_shares_of_classes_count_as_much_of_their_weights():
    """0.75 owl and 0.25 cat, with weights 3 and 1, then a dog of weight 0: numbers by hand."""
    model = head(class_weights=(1.0, 0.0, 3.0))
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0]] * 2))
    soft = torch.tensor([[0.25, 0.0, 0.75], [0.0, 1.0, 0.0]])
    assert model.weight_of(soft).item() == pytest.approx(0.25 + 3 * 0.75)
    expected = (0.25 * math.log(8) + 3 * 0.75 * math.log(8 / 5)) / 2.5
    assert model.loss(logits, soft).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("weights", ["none", (1.0, 0.5, 3.0)])
def test_soft_targets_of_whole_classes_are_the_classes(weights):
    model = head(class_weights=weights, label_smoothing=0.2)
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0], [3.0, 1.0, 1.0]]))
    soft = model.soft_targets(torch.tensor([2, 0]))
    assert soft.tolist() == [[0, 0, 1], [1, 0, 0]]
    torch.testing.assert_close(model.loss(logits, soft), model.loss(logits, torch.tensor([2, 0])))
    with pytest.raises(DataError, match="left out"):
        model.soft_targets(torch.tensor([2, -100]))


def test_the_weighted_mean_is_torchs():
    chance = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(7, 3, generator=chance), torch.tensor([0, 1, 2, 2, 1, 0, 0])
    loss = head(class_weights=(1.0, 2.0, 0.5), label_smoothing=0.2).loss(logits, targets)
    expected = torch.nn.functional.cross_entropy(
        logits, targets, weight=torch.tensor([1.0, 2.0, 0.5]), label_smoothing=0.2
    )
    torch.testing.assert_close(loss, expected)


def test_a_target_that_is_left_out_is_nowhere():
    """-100, as in torch, in weights and metrics, too, also where there is a class 120 - 100."""
    chance = torch.Generator().manual_seed(0)
    labels = [f"c{n}" for n in range(120)]
    weights = torch.linspace(0.5, 3, 120)
    logits, targets = torch.randn(4, 120, generator=chance), torch.tensor([3, -100, 7, 119])
    model = head(labels=labels, class_weights=tuple(weights.tolist()))
    expected = torch.nn.functional.cross_entropy(logits, targets, weight=weights)
    torch.testing.assert_close(model.loss(logits, targets), expected)
    assert model.weight_of(targets).item() == pytest.approx(weights[[3, 7, 119]].sum().item())
    logits[0, 3] = logits[1, 5] = 99.0
    metrics = model.metrics()
    metrics.update(logits, targets)
    found = {name: value.item() for name, value in metrics.compute().items()}
    assert found == pytest.approx({"top1": 1 / 3, "mean_class": 1 / 3, "top5": 1 / 3})


def test_the_mean_over_classes_is_over_those_that_occur():
    """cat 1 of 2, dog 1 of 1, and owl, which does not occur and is found once: (1/2 + 1) / 2."""
    pytest.importorskip("torchmetrics")
    metrics = head().metrics()
    metrics.update(torch.eye(3)[[0, 2]], torch.tensor([0, 0]))
    metrics.update(torch.eye(3)[[1]], torch.tensor([1]))
    found = {name: value.item() for name, value in metrics.compute().items()}
    assert found == {"top1": pytest.approx(2 / 3), "mean_class": 0.75}


def test_a_list_of_another_length_is_refused():
    with pytest.raises(ConfigError, match="`class_weights` has 2 values and there are 3 classes"):
        head(class_weights=(1.0, 1.0))


def test_balanced_weights_are_inverse_to_the_counts():
    # 12 images, 3 classes: 12 / (3 n)
    weights = balanced_weights({"cat": 8, "dog": 4}, LABELS)
    assert weights.tolist() == [0.5, 1.0, 0.0]
    model = head(class_weights="balanced")
    model.prepare(splits({"cat": 8, "dog": 2, "owl": 2}))
    assert model.class_weights.tolist() == [0.5, 2.0, 2.0]
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]))
    loss = model.loss(logits, torch.tensor([0, 2]))
    assert loss.item() == pytest.approx((0.5 * math.log(8) + 2 * math.log(8 / 5)) / 2.5, abs=1e-6)


def test_balanced_weights_need_the_data_and_travel_with_the_head():
    fresh = head(class_weights="balanced")
    with pytest.raises(ConfigError, match=r"model\.prepare"):
        fresh.loss(torch.zeros(1, 3), torch.tensor([0]))
    with pytest.raises(ConfigError, match="counts classes"):
        fresh.prepare(splits(None))
    trained = head(class_weights="balanced")
    trained.prepare(splits({"cat": 8, "dog": 2, "owl": 2}))
    fresh.load_state_dict(trained.state_dict())
    assert fresh.loss(torch.zeros(1, 3), torch.tensor([0])).item() == pytest.approx(math.log(3))


def test_unbalanced_heads_hold_the_linear_layer_alone():
    assert set(head().state_dict()) == {"fc.weight", "fc.bias"}
    assert set(head(class_weights=(1.0, 2.0, 3.0)).state_dict()) == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("pretrained", [-1.0, -2.0]),
        ("cls", [1.0, 2.0]),
        ("mean", [2.0, 5.0]),
        ("max", [4.0, 8.0]),
        ("prompts", [15.0, 1.0]),
        ("tokens", [7.0, pytest.approx(2.8)]),
        ("cls+mean", [1.0, 2.0, 2.0, 5.0]),
        ("max+prompts+cls", [4.0, 8.0, 15.0, 1.0, 1.0, 2.0]),
    ],
)
def test_pools(pool, expected):
    model = head(pool=pool)
    model.fc = torch.nn.Identity()
    assert model(features(prompts=2)).tolist() == [expected]
    assert head(pool=pool).fc.in_features == len(expected)


@pytest.mark.parametrize(("pool", "given"), [("prompts", {}), ("cls", {"cls": False})])
def test_a_pool_of_what_is_not_there_is_an_error(pool, given):
    with pytest.raises(AnatomyError, match=f"`{pool}`"):
        head(pool=pool)(features(**given))


@pytest.mark.parametrize("pool", ["median", "cls+cls", ""])
def test_an_unknown_pool_is_refused(pool):
    with pytest.raises(ValueError, match="must be of `pretrained`"):
        ClassificationConfig(pool=pool)


def test_zero_head_starts_even():
    model = head(zero_head=True)
    assert model(features()).tolist() == [[0.0, 0.0, 0.0]]


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    model = head(width=2, dropout=0.5)
    assert torch.equal(model.eval()(features()), model.eval()(features()))
    outputs = {tuple(model.train()(features())[0].tolist()) for _ in range(20)}
    assert len(outputs) > 1


def test_predictions_are_ranked():
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0], [2.0, 1.0, 1.0]]))
    first, second = head().predict(logits)
    assert first.label == "owl"
    assert first.probability == pytest.approx(0.625)
    assert list(first.probabilities) == ["owl", "dog", "cat"]
    assert second.label == "cat"
    assert sum(second.probabilities.values()) == pytest.approx(1)


def test_metrics_by_hand():
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    metrics = head().metrics()
    logits = torch.eye(3)[[0, 0, 0, 1, 0, 2]]
    metrics.update(logits, torch.tensor([0, 0, 0, 1, 1, 2]))
    result = {name: value.item() for name, value in metrics.compute().items()}
    # right: 5 of 6; cat 3/3, dog 1/2, owl 1/1
    assert result == pytest.approx({"top1": 5 / 6, "mean_class": 2.5 / 3})


def test_top5_where_there_are_more_than_five_classes():
    pytest.importorskip("torchmetrics", reason="comes with onlay-train")
    metrics = head(labels=tuple("abcdef")).metrics()
    logits = torch.tensor([[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]] * 4)
    metrics.update(logits, torch.tensor([0, 1, 4, 5]))
    result = {name: value.item() for name, value in metrics.compute().items()}
    assert result["top1"] == pytest.approx(1 / 4)
    assert result["top5"] == pytest.approx(3 / 4)


def test_a_batch_norm_before_the_layer_trains_nothing_and_folds_into_it():
    model = head(head_norm="batch")
    assert [name for name, _ in model.named_parameters()] == ["fc.weight", "fc.bias"]
    model.norm.running_mean.copy_(torch.tensor([1.0, -2.0]))
    model.norm.running_var.copy_(torch.tensor([4.0 - 1e-5, 0.25 - 1e-5]))
    with torch.no_grad():
        model.fc.weight.copy_(torch.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]))
        model.fc.bias.zero_()
    # pooled (-1, -2), normalised ((-1 - 1) / 2, (-2 + 2) / 0.5) = (-1, 0)
    logits = model.eval()(features())
    assert logits.tolist()[0] == pytest.approx([-2.0, 0.0, -1.0], abs=1e-6)
    weight, bias = model.linear()
    assert weight.tolist()[0] == pytest.approx([1.0, 2.0])
    assert torch.allclose(torch.tensor([[-1.0, -2.0]]) @ weight.T + bias, logits, atol=1e-6)


def test_without_a_norm_the_layer_is_what_it_is():
    model = head()
    weight, bias = model.linear()
    assert torch.equal(weight, model.fc.weight)
    assert torch.equal(bias, model.fc.bias)
