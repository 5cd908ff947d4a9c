"""What `onlay-peft` registers; imports neither torch nor peft."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Command, Method
from onlay.hooks import hookimpl
from onlay_peft.presets import PRESETS

EXAMPLES = (
    {},
    {"options": {"r": 4, "use_dora": True}, "sites": ["qkv.out", "mlp.out"]},
    {
        "tuner": "ia3",
        "sites": ["qkv.out", "fc1.out", "mlp.out"],
        "options": {"feedforward_modules": ["mlp.out"]},
    },
    {"tuner": "oft", "options": {"r": 0, "oft_block_size": 4}},
    {"tuner": "vera", "sites": ["qkv.out", "mlp.out"], "options": {"r": 4}},
    {"tuner": "loha", "options": {"r": 2}},
    {"tuner": "lokr", "options": {"r": 2}, "sites": ["fc1.out", "mlp.out"]},
)


@hookimpl
def register_methods() -> Iterable[Method]:
    """Every tuner of the installed peft that fits linear or convolution layers."""
    yield Method(
        name="peft",
        config="onlay_peft.config:PeftMethodConfig",
        attach="onlay_peft.adapter:attach",
        importer="onlay_peft.importer:read",
        also="onlay_peft.catalogue:also",
        traits="onlay_peft.promises:traits",
        examples=EXAMPLES,
        presets=PRESETS,
        summary="Hugging Face PEFT: LoRA, DoRA, IA3, OFT, VeRA, ... at sites; most merge away",
        citation="Hugging Face PEFT, https://github.com/huggingface/peft; the tuner's own paper",
    )


@hookimpl
def register_commands() -> Iterable[Command]:
    """`onlay peft export`."""
    yield Command(
        name="peft",
        command="onlay_peft.cli:peft",
        summary="Turn bundles of the method peft into PEFT's own folders.",
    )
