"""What a user may ask for, and the sentence that answers a slip."""

from __future__ import annotations

import re
import sys
from subprocess import run
from typing import Any

import pytest
from click.testing import CliRunner

import onlay
from onlay.cli import main
from onlay.config import parse, resolve
from onlay.errors import ConfigError, UnknownName
from onlay_peft.catalogue import tuners
from onlay_peft.config import PeftMethodConfig


def test_defaults_are_lora_on_q_k_v(host: onlay.PluginHost) -> None:
    config = parse("method", "peft", host)
    assert config == PeftMethodConfig(tuner="lora", sites=("qkv.out",), options={})


def test_a_tuner_is_named_as_peft_names_it(host: onlay.PluginHost) -> None:
    assert parse("method", {"name": "peft", "tuner": "LoHa"}, host).tuner == "loha"
    assert parse("method", {"name": "peft", "tuner": "BOFT"}, host).tuner == "boft"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"tuner": "lorra"}, r"no tuner `lorra` .*, did you mean `lora`\? \(have: .*oft, .*vera"),
        ({"tuner": "prompt_tuning"}, r"no tuner `prompt_tuning` for linear layers"),
        (
            {"tuner": "dora"},
            r"`dora` cannot be used: it is LoRA with `options: \{use_dora: true\}`",
        ),
        ({"tuner": "adalora"}, "its ranks are shared out anew by a call between the steps"),
        ({"options": {"rank": 8}}, r"`lora` has no option `rank`.* \(have: r, lora_alpha, "),
        ({"options": {"lora_alhpa": 8}}, "did you mean `lora_alpha`"),
        ({"options": {"target_modules": ["qkv"]}}, "`sites` says where the adapter acts"),
        ({"options": {"bias": "all"}}, "as the method `bitfit` does"),
        ({"options": {"eva_config": {}}}, "starts from data that a program of peft's own"),
        ({"options": {"init_lora_weights": "eva"}}, "`init_lora_weights: eva`: it starts from"),
        ({"options": {"rank_pattern": {"qkv": 4}}}, "`rank_pattern`: no single layer writes"),
        ({"sites": ["qkv.ou"]}, r"a site `qkv\.ou`, did you mean `qkv\.out`\?"),
        ({"sites": ["mlp.in"]}, r"no single layer writes a site `mlp\.in`"),
        ({"sites": ["blocks.1.embed.out"]}, "no single layer writes"),
        ({"sites": ["qkv.out", "qkv.out"]}, "name each site once"),
        ({"sites": []}, "must have at least 1 item"),
    ],
)
def test_a_slip_is_told_in_one_sentence(
    fields: dict[str, object], told: str, host: onlay.PluginHost
) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        parse("method", {"name": "peft", **fields}, host)
    assert "\n" not in str(caught.value)


def test_reads_of_the_installed_source_what_peft_says_itself() -> None:
    peft = pytest.importorskip("peft")
    from dataclasses import fields

    found = tuners()
    assert {"lora", "ia3", "oft", "boft", "vera", "loha", "lokr", "fourierft"} <= found.keys()
    for name, options in found.items():
        kind = peft.PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(name.upper())]
        assert set(options) <= {field.name for field in fields(kind)}, name
    assert "init_lora_weights" in found["lora"]
    assert found["ia3"] == ("feedforward_modules", "init_ia3_weights")


def test_configuring_imports_neither_torch_nor_peft() -> None:
    code = (
        "import sys; from onlay_peft.config import PeftMethodConfig as C;"
        "from onlay_peft.promises import traits; C.model_json_schema();"
        "traits(C(tuner='vera', options={'r': 4}), frozenset());"
        "print({'torch', 'peft', 'transformers'} & set(sys.modules))"
    )
    found = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("oft", "it is a tuner of PEFT: `method=peft method.tuner=oft`"),
        ("LoRA", "`method=peft method.tuner=lora`"),
        ("vera", "`method=peft method.tuner=vera`"),
        ("dora", "`method=peft method.tuner=lora method.options.use_dora=true`"),
        ("adalora", "method `peft` does not do it: its ranks are shared out"),
        ("peftt", "did you mean `peft`?"),
    ],
)
def test_who_asks_for_a_tuner_as_a_method_is_told_how(name: str, sentence: str) -> None:
    with pytest.raises(UnknownName, match=re.escape(sentence)):
        onlay.PluginHost.discover().find("method", name)


def test_explain_tells_it_too() -> None:
    result = CliRunner().invoke(main, ["explain", "oft"])
    assert result.exit_code == 2
    assert "`method=peft method.tuner=oft`" in result.stderr


def test_what_is_told_works() -> None:
    pytest.importorskip("onlay_image", reason="brings a backbone and data for a run")
    given = ["method=peft", "method.tuner=lora", "method.options.use_dora=true"]
    data = {"backbone": "onlay_vit_64", "data": "digits"}
    method: Any = resolve(data, given, onlay.PluginHost.discover()).method
    assert method.options == {"use_dora": True}


def test_without_the_plugin_it_is_named() -> None:
    host = onlay.PluginHost.discover(only="-peft")
    with pytest.raises(
        UnknownName, match=r"`method=peft method\.tuner=oft` comes with `onlay-peft`"
    ):
        host.find("method", "oft")
