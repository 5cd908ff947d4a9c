"""`onlay predict`, `merge` and `import` on a tiny backbone whose input files hold a seed."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from onlay import PluginHost, adapt, hookimpl, load
from onlay.cli import main
from onlay.config.base import Config
from onlay.descriptors import Backbone, Exporter, Method, Modality
from onlay.errors import DataError
from onlay.host import builtin
from onlay.testing import tiny_backbone

LABELS = ["[red]", "green", "blue"]


class TinyConfig(Config):
    """The tests' backbone."""

    name: Literal["tiny"] = "tiny"
    """This one."""
    seed: int = 0
    """Of its weights."""


class ShiftConfig(Config):
    """The tests' method."""

    name: Literal["shift"] = "shift"
    """This one."""


class SquashConfig(Config):
    """A method that cannot be merged."""

    name: Literal["squash"] = "squash"
    """This one."""


class Shift(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x + self.shift

    def affine(self):
        from onlay.anatomy import Affine

        return Affine(None, self.shift)


class Squash(torch.nn.Module):
    """What no linear map can take up."""

    unfoldable = "it squashes"

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return torch.tanh(x * self.scale)


def attach(place, config):
    for block in place.blocks:
        place.rewrite(block.site("mlp.in"), Shift(block.width))


def attach_squash(place, config):
    place.rewrite(place.blocks[0].site("mlp.in"), Squash())


def build(config):
    built = tiny_backbone(config.seed)
    built.source = config.model_dump(mode="json")
    return built


def provides(config):
    return frozenset({"sequence", "grid", "class_token", "insertion", "extension"})


def image_of(seed):
    return torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(seed))


def reader(preprocessing):
    def read(path):
        if not path.read_text().strip().isdigit():
            raise DataError(f"`{path}` holds no seed")
        return preprocessing["scale"] * image_of(int(path.read_text()))

    return read


def export(model, path):
    save_file(dict(model.anatomy.trunk()), path)


def read_foreign(path, *, backbone, backbone_out, labels, host):
    model = adapt(backbone or "tiny", "shift", labels=labels or ["0", "1"], host=host)
    tensors = load_file(path)
    with torch.no_grad():
        for parameter in model.adapter.parameters():
            parameter.copy_(tensors["shift"])
    if backbone is None:
        save_file(dict(model.anatomy.trunk()), backbone_out)
    return model


@pytest.fixture
def host(monkeypatch):
    fake = ModuleType("fake")
    for function in (attach, attach_squash, build, provides, reader, export, read_foreign):
        setattr(fake, function.__name__, function)
    fake.register_methods = hookimpl(
        lambda: [
            Method(
                name="shift",
                config=ShiftConfig,
                attach="fake:attach",
                importer="fake:read_foreign",
                summary="shifts",
            ),
            Method(
                name="squash", config=SquashConfig, attach="fake:attach_squash", summary="squashes"
            ),
        ]
    )
    fake.register_backbones = hookimpl(
        lambda: [
            Backbone(
                name="tiny",
                config=TinyConfig,
                build="fake:build",
                modality="image",
                provides="fake:provides",
                summary="tiny",
            )
        ]
    )
    fake.register_modalities = hookimpl(
        lambda: [
            Modality(
                name="image", reader="fake:reader", suffixes=frozenset({".seed"}), summary="seeds"
            )
        ]
    )
    fake.register_exporters = hookimpl(
        lambda: [
            Exporter(name="trunk", modality="image", export="fake:export", summary="the trunk")
        ]
    )
    monkeypatch.setitem(sys.modules, "fake", fake)
    host = PluginHost()
    host.add(builtin, name="core", distribution="onlay", version="0.2.0")
    assert host.add(fake, name="fake", version="1.0").reason == ""
    return host


@pytest.fixture
def onlay(host):
    def run(*args):
        return CliRunner().invoke(main, [str(a) for a in args], prog_name="onlay", obj=host)

    return run


@pytest.fixture
def model(host):
    return adapt("tiny", "shift", labels=LABELS, preprocessing={"scale": 2.0}, host=host)


@pytest.fixture
def bundle(model, tmp_path):
    return model.save_pretrained(tmp_path / "run" / "bundle")


@pytest.fixture
def inputs(tmp_path):
    folder = tmp_path / "inputs"
    (folder / "more").mkdir(parents=True)
    for name, seed in (("b.seed", 1), ("a.SEED", 2), ("more/c.seed", 3), ("notes.txt", 4)):
        (folder / name).write_text(str(seed))
    return folder


def probabilities(model, seed):
    with torch.no_grad():
        return model.eval()(2 * image_of(seed)[None]).softmax(-1)[0].tolist()


def refusal(result):
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (sentence,) = result.stderr.strip().splitlines()
    return sentence


# --- predict


def test_predict_json_holds_the_probabilities_of_the_model(onlay, bundle, inputs, model):
    rows = json.loads(onlay("predict", bundle.parent, inputs, "--json").stdout)
    names = [row["path"].removeprefix(f"{inputs}/") for row in rows]
    assert names == ["a.SEED", "b.seed", "more/c.seed"], "by name, and no other suffixes"
    for row, seed in zip(rows, (2, 1, 3), strict=True):
        expected = dict(zip(LABELS, probabilities(model, seed), strict=True))
        assert row["probabilities"] == pytest.approx(expected, abs=1e-6)
        assert row["class"] == max(expected, key=expected.get)
        assert row["probability"] == pytest.approx(max(expected.values()), abs=1e-6)


def test_predict_csv_with_the_likeliest_two(onlay, bundle, inputs, model):
    file = inputs / "notes.txt"  # named itself: taken whatever its suffix
    text = onlay("predict", bundle, file, "--csv", "--top", 2).stdout
    (row,) = csv.DictReader(io.StringIO(text))
    first, second = sorted(probabilities(model, 4), reverse=True)[:2]
    assert list(row) == ["path", "class", "probability", "class_2", "probability_2"]
    assert row["path"] == str(file)
    assert float(row["probability"]) == pytest.approx(first, abs=1e-5)
    assert float(row["probability_2"]) == pytest.approx(second, abs=1e-5)
    assert row["class"] == LABELS[probabilities(model, 4).index(first)]


def test_predict_prints_a_table(onlay, bundle, inputs, model, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    output = onlay("predict", bundle, inputs / "b.seed", "--top", 9).stdout
    for label, share in zip(LABELS, probabilities(model, 1), strict=True):
        assert label in output, "square brackets are text, not markup"
        assert f"{100 * share:.1f} %" in output


def test_batches_do_not_change_the_answers(onlay, bundle, inputs):
    one = json.loads(onlay("predict", bundle, inputs, "--json", "--batch-size", 1).stdout)
    two = json.loads(onlay("predict", bundle, inputs, "--json", "--batch-size", 2).stdout)
    assert [r["probability"] for r in one] == pytest.approx([r["probability"] for r in two])


def test_an_unreadable_file_is_named_and_nothing_is_printed(onlay, bundle, inputs):
    (inputs / "z.seed").write_text("not a seed")
    assert f"`{inputs / 'z.seed'}` holds no seed" in refusal(onlay("predict", bundle, inputs))


def test_unreadable_files_are_skipped_if_asked_for(onlay, bundle, inputs, tmp_path):
    (inputs / "0.seed").write_text("not a seed")
    (inputs / "more" / "z.seed").write_text("nor this")
    result = onlay("predict", bundle, inputs, "--json", "--skip-unreadable", "--batch-size", 2)
    assert result.exit_code == 0
    names = [row["path"].removeprefix(f"{inputs}/") for row in json.loads(result.stdout)]
    assert names == ["a.SEED", "b.seed", "more/c.seed"]
    first, second = inputs / "0.seed", inputs / "more" / "z.seed"
    assert result.stderr.splitlines() == [
        "left out: 1 .txt",
        f"skipped: `{first}` holds no seed",
        f"skipped: `{second}` holds no seed",
        "2 of 5 files were skipped",
    ]
    alone = onlay("predict", bundle, first, "--skip-unreadable")
    assert alone.exit_code == 2
    assert "none of the 1 files can be read" in alone.stderr


def test_predict_finds_what_training_finds(onlay, bundle, inputs):
    for name in (".x.seed", ".ipynb_checkpoints/a.seed", "__MACOSX/._a.seed", "more/._c.seed"):
        (inputs / name).parent.mkdir(exist_ok=True)
        (inputs / name).write_text("5")
    (inputs / "d.seed").mkdir()
    rows = json.loads(onlay("predict", bundle, inputs, "--json").stdout)
    assert [Path(row["path"]).name for row in rows] == ["a.SEED", "b.seed", "c.seed"]
    named = onlay("predict", bundle, inputs / ".x.seed", "--csv")
    assert f"{inputs / '.x.seed'}," in named.stdout, "named itself"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nothing", "there is no file or folder `"), ("empty", "holds no image file (.seed)")],
)
def test_nothing_to_predict(onlay, bundle, tmp_path, name, sentence):
    (tmp_path / "empty").mkdir()
    assert sentence in refusal(onlay("predict", bundle, tmp_path / name))


def test_predict_without_a_bundle(onlay, tmp_path, inputs):
    assert "is no bundle and no finished run" in refusal(onlay("predict", tmp_path, inputs))


def test_a_device_that_is_not_there(onlay, bundle, inputs):
    assert "device `abacus`" in refusal(onlay("predict", bundle, inputs, "--device", "abacus"))


# --- merge


def test_merge_writes_what_the_model_computes(onlay, bundle, model, tmp_path):
    out = tmp_path / "made" / "model.safetensors"
    result = onlay("merge", bundle, "--out", out)
    assert result.exit_code == 0, result.output
    assert "`tiny` with `shift` folded in" in result.stdout
    plain = tiny_backbone(seed=7)
    plain.module.load_state_dict(load_file(out), strict=True)
    with torch.no_grad():
        expected = model.eval()(image_of(5)[None])
        logits = model.head(plain.anatomy.encode(image_of(5)[None]))
    assert torch.allclose(logits, expected, atol=1e-5)
    assert not torch.allclose(logits, model.head(tiny_backbone().anatomy.encode(image_of(5)[None])))


def test_merge_leaves_existing_files_alone(onlay, bundle, tmp_path):
    out = tmp_path / "model.safetensors"
    out.write_text("mine")
    assert "is there already" in refusal(onlay("merge", bundle, "--out", out))
    assert out.read_text() == "mine"


def test_merge_of_what_cannot_be_folded(onlay, host, tmp_path):
    model = adapt("tiny", "squash", labels=LABELS, host=host)
    bundle = model.save_pretrained(tmp_path / "bundle")
    sentence = refusal(onlay("merge", bundle, "--out", tmp_path / "m.safetensors"))
    assert "`squash` cannot be merged" in sentence
    assert "it squashes" in sentence
    assert not (tmp_path / "m.safetensors").exists()


def test_merge_into_an_unknown_format(onlay, bundle, tmp_path):
    sentence = refusal(onlay("merge", bundle, "--out", tmp_path / "m", "--format", "trunks"))
    assert "no exporter `trunks` is installed (have: trunk); did you mean `trunk`?" in sentence


# --- import


@pytest.fixture
def foreign(tmp_path):
    save_file({"shift": torch.full((16,), 0.5)}, tmp_path / "foreign.safetensors")
    return tmp_path / "foreign.safetensors"


def test_import_makes_a_bundle(onlay, host, foreign, tmp_path):
    (tmp_path / "labels.txt").write_text("cat\ndog\n\nowl\n")
    out = tmp_path / "made"
    result = onlay(
        "import", "shift", foreign, "--out", out, "--labels", tmp_path / "labels.txt",
        "--backbone", "tiny",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert f"next: onlay predict {out} PATH..." in result.stdout
    model = load(out, host=host)
    assert model.head.labels == ("cat", "dog", "owl")
    assert all(torch.equal(p, torch.full((16,), 0.5)) for p in model.adapter.parameters())
    assert not (tmp_path / "made-backbone.safetensors").exists()


def test_import_of_a_whole_model_writes_its_backbone_beside_the_bundle(onlay, foreign, tmp_path):
    out = tmp_path / "made"
    result = onlay("import", "shift", foreign, "--out", out)
    assert f"{out}-backbone.safetensors: the backbone's weights" in result.stdout
    stored = load_file(f"{out}-backbone.safetensors")
    assert torch.equal(stored["cls_token"], tiny_backbone().module.cls_token)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["squash", "x.pt"], "method `squash` reads no foreign checkpoints (have: shift)"),
        (["shift", "x.pt"], "there is no file `x.pt`"),
        (["shfit", "x.pt"], "did you mean `shift`?"),
        (["dapt", "x.pt"], "pip install --find-links dist onlay-dapt`"),
    ],
)
def test_wrong_imports(onlay, tmp_path, args, sentence):
    assert sentence in refusal(onlay("import", *args, "--out", tmp_path / "made"))
