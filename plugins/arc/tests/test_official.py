"""Names and shapes of the authors' state dicts, under ours; what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from onlay.errors import BundleError
from onlay.reading.statefile import read_state
from onlay_arc.importer import trained_state
from onlay_arc.official import understand


def trained_part(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: t for n, t in state.items() if "adapter" in n or "projection" in n or "head" in n}


def respelled(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As `ARC_new.py` names them."""
    pairs = [
        ("att_down_projection", "left_u_att"),
        ("mlp_down_projection", "left_u_mlp"),
        ("att_adapter.adapter_rescale", "att_scale"),
        ("att_adapter.adapter_bias", "att_scale_bias"),
        ("mlp_adapter.adapter_rescale", "mlp_scale"),
        ("mlp_adapter.adapter_bias", "mlp_scale_bias"),
    ]
    renamed = {}
    for name, tensor in state.items():
        for old, new in pairs:
            name = name.removesuffix(old) + new if name.endswith(old) else name
        renamed[name] = tensor
    return renamed


def test_reads_the_real_names_and_shapes(official: Any) -> None:
    found = understand(official(), "file")
    assert (found.width, found.rank, found.depth, found.whole) == (768, 50, 12, True)
    assert found.sites == ("attn.in", "mlp.in")
    # 4 of the patch embedding, 2 of the last norm, 12 of each layer: no tensor is left over
    assert len(found.backbone()) == 150
    assert len(trained_state(found)) == 50 + 2


def test_fuses_query_key_value_in_timms_order(official: Any) -> None:
    state = official(width=192)
    fused = understand(state, "file").backbone()
    for index, part in enumerate(("query", "key", "value")):
        rows = slice(192 * index, 192 * (index + 1))
        for kind in ("weight", "bias"):
            source = state[f"transformer.layer.7.attention.{part}.{kind}"]
            assert torch.equal(fused[f"blocks.7.attn.qkv.{kind}"][rows], source)


def test_the_trained_part_alone(official: Any) -> None:
    found = understand(trained_part(official(width=192)), "file")
    assert not found.whole
    assert len(trained_state(found)) == 52


def test_both_spellings_are_one(official: Any) -> None:
    state = official(width=192)
    theirs = {f"module.{name}": tensor for name, tensor in respelled(state).items()}
    assert "module.transformer.left_u_att" in theirs
    ours, other = understand(state, "a"), understand(theirs, "b")
    assert ours.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(ours.tensors[n], other.tensors[n]) for n in ours.tensors)


def test_attention_alone_is_arc_att(official: Any) -> None:
    state = {n: t for n, t in official(width=192).items() if "mlp_adapter" not in n}
    del state["transformer.mlp_down_projection"]
    found = understand(state, "file")
    assert found.sites == ("attn.in",)
    assert len(trained_state(found)) == 1 + 2 * 12 + 2


@pytest.mark.parametrize(
    ("gone", "added", "told"),
    [
        ("transformer.layer.3.mlp_adapter.adapter_bias", None, "missing tensors"),
        ("head_mlp.head.bias", None, r"missing tensors `head_mlp\.head\.bias`"),
        (None, "transformer.layer.3.gate", r"unexpected tensors `transformer\.layer\.3\.gate`"),
        ("transformer.layer.0.mlp.fc1.weight", "extra", "missing .* and unexpected"),
    ],
)
def test_names_what_is_missing_or_unexpected(
    official: Any, gone: str | None, added: str | None, told: str
) -> None:
    state = official(width=192)
    if gone:
        del state[gone]
    if added:
        state[added] = torch.zeros(1)
    with pytest.raises(BundleError, match=told) as caught:
        understand(state, "file")
    assert gone is None or gone in str(caught.value)


def test_names_a_tensor_of_another_shape(official: Any) -> None:
    state = official(width=192)
    state["transformer.layer.5.att_adapter.adapter_bias"] = torch.zeros(768)
    with pytest.raises(BundleError, match=r"layer\.5\.att_adapter\.adapter_bias` .* is \(768,\)"):
        understand(state, "file")


def test_refuses_a_state_dict_of_something_else() -> None:
    with pytest.raises(BundleError, match="no state dict of ARC's ViT"):
        understand({"cls_token": torch.zeros(1, 1, 8)}, "file")


@pytest.mark.parametrize("nested", [None, "model", "state_dict"])
def test_reads_torch_files(tmp_path: Path, nested: str | None) -> None:
    state = {"a": torch.arange(3.0)}
    torch.save({nested: state, "epoch": 3} if nested else state, tmp_path / "x.bin")
    assert torch.equal(read_state(tmp_path / "x.bin")["a"], state["a"])


def test_reads_safetensors(tmp_path: Path) -> None:
    save_file({"a": torch.arange(3.0)}, tmp_path / "x.safetensors")
    assert read_state(tmp_path / "x.safetensors")["a"].tolist() == [0, 1, 2]


class Harmful:
    ran = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (setattr, (Harmful, "ran", True))


def test_never_runs_what_is_in_a_file(tmp_path: Path) -> None:
    torch.save({"a": Harmful()}, tmp_path / "x.bin")
    with pytest.raises(BundleError, match=r"x\.bin` cannot be read as tensors"):
        read_state(tmp_path / "x.bin")
    assert not Harmful.ran


@pytest.mark.parametrize("name", ["x.bin", "x.safetensors"])
def test_refuses_half_a_file(tmp_path: Path, name: str) -> None:
    whole = tmp_path / name
    torch.save({"a": torch.zeros(999)}, whole)
    if name.endswith("safetensors"):
        save_file({"a": torch.zeros(999)}, whole)
    whole.write_bytes(whole.read_bytes()[:-900])
    with pytest.raises(BundleError, match="cannot be read as tensors"):
        read_state(whole)


def test_refuses_what_is_no_state_dict(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no file"):
        read_state(tmp_path / "absent.bin")
    torch.save([1, 2], tmp_path / "list.bin")
    with pytest.raises(BundleError, match="holds no state dict"):
        read_state(tmp_path / "list.bin")
    torch.save({"lr": 0.1}, tmp_path / "mixed.bin")
    with pytest.raises(BundleError, match="holds no state dict"):
        read_state(tmp_path / "mixed.bin")
