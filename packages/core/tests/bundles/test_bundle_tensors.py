"""Every way in which a bundle's tensors can be wrong."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
import torch
from changed_bundles import change
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file, save_file
from safetensors.torch import save as save_tensors

import onlay
from onlay.errors import (
    BundleError,
)
from onlay.testing import tiny_backbone


def test_truncated_tensors_are_refused(bundle, host):
    path = bundle / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BundleError, match="truncated or no safetensors file"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


def test_exchanged_tensors_are_refused(bundle, host):
    path = bundle / "adapter_model.safetensors"
    save_file({name: t + 1 for name, t in load_file(path).items()}, path)
    with pytest.raises(BundleError, match="is not the file that was written beside"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


def test_a_pickle_is_never_unpickled(bundle, host, tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save(Payload(), bundle / "adapter_model.safetensors")
    with pytest.raises(BundleError, match="no safetensors file"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)
    assert not (tmp_path / "ran").exists()


def rewritten(bundle, change_tensors):
    path = bundle / "adapter_model.safetensors"
    path.write_bytes(change_tensors(path.read_bytes()))
    change(bundle, tensors_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("convert", "reason"),
    [
        (lambda t: t * torch.nan, "holds numbers that are not finite"),
        (lambda t: t.to(torch.int32), "holds int32 and should float32"),
        (lambda t: t.to(torch.float8_e4m3fn), "holds float8_e4m3fn and should float32"),
        (lambda t: t[:0], r"should be \("),
    ],
)
def test_tensors_of_another_kind_are_one_sentence(bundle, host, convert, reason):
    rewritten(
        bundle,
        lambda content: save_tensors({n: convert(t) for n, t in load_bytes(content).items()}),
    )
    with pytest.raises(BundleError, match=reason):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


def test_another_precision_is_converted(bundle, host, model, images):
    rewritten(
        bundle,
        lambda content: save_tensors({n: t.double() for n, t in load_bytes(content).items()}),
    )
    again = onlay.load(bundle, backbone=tiny_backbone(), host=host)
    assert torch.equal(again(images), model(images))


def header(entries, body=b""):
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + body


ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        header({"a": ONE, "b": ONE}, b"\0" * 4),  # two on one place
        header(b'{"a": %(o)b, "a": %(o)b}' % {b"o": json.dumps(ONE).encode()}, b"\0" * 4)[:-1],
        header({"a": ONE}, b"\0" * 9),  # more than the header says
        header({"a": ONE}, b"\0" * 3),
        header({"a": ONE | {"shape": [2**62, 2**62]}}, b"\0" * 4),
        header({"a": ONE | {"dtype": "F3"}}, b"\0" * 4),
        (2**62).to_bytes(8, "little") + b"{}",
        header(b"[" * 5000),
        header([1, 2]),
    ],
)
def test_odd_safetensors_are_one_sentence(bundle, host, content):
    rewritten(bundle, lambda _: content)
    with pytest.raises(BundleError, match=r"adapter_model.safetensors` is truncated or no safeten"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device"])
def test_what_never_ends_is_not_read(bundle, host, name, kind):
    path = bundle / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(bundle / "pipe")
        path.symlink_to("pipe")
    with pytest.raises(BundleError, match=r"it is no plain file|no bundle and no finished run"):
        onlay.load(bundle, backbone=tiny_backbone(), host=host)
