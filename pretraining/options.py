"""What every pretraining can be told, and the defaults that hang on there being an accelerator."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

DISTILLED = ("dino", "ibot")
OBJECTIVES = ("described", "mae", *DISTILLED)


def parser(
    description: str | None, *, minutes: float, temperature: float, objective: str = "described"
) -> argparse.ArgumentParser:
    """Of the schedule, the data, the objective and the machine."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--objective", choices=OBJECTIVES, default=objective)
    _schedule(parser, minutes)
    _machine(parser)
    parser.add_argument("--pool", type=Path, help="folder of what is drawn (default: OUT/pool)")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--contrast", type=float, default=0.2, help="weight of this loss")
    parser.add_argument("--temperature", type=float, default=temperature, help="of the contrast")
    parser.add_argument("--prototypes", type=int, help="default: 512; with a GPU 4,096")
    parser.add_argument("--parts", type=int, default=4, help="small views of each thing")
    parser.add_argument("--hidden", type=float, default=0.4, help="share that `ibot` masks")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _schedule(parser: argparse.ArgumentParser, minutes: float) -> None:
    parser.add_argument("--minutes", type=float, default=minutes, help="resumes included")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="what minutes are")
    parser.add_argument(
        "--from-the-start", action="store_true", help="the pool and compiling count as minutes, too"
    )
    parser.add_argument("--steps", type=int, help="instead of minutes: equal bits on every run")
    parser.add_argument(
        "--max-steps", type=int, default=10**9, help="stop here, schedule unfinished"
    )
    parser.add_argument("--save-every", type=float, default=3, help="minutes between checkpoints")


def _machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, help="things in a step; default: 32, with a GPU 512")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), help="with a GPU bf16")
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="torch.compile; default: with a GPU",
    )


def completed(options: argparse.Namespace) -> argparse.Namespace:
    """With the defaults that hang on others, and on there being a GPU."""
    gpu = torch.cuda.is_available()
    options.batch = options.batch or (512 if gpu else 32)
    options.precision = options.precision or ("bf16" if gpu else "fp32")
    options.compile = gpu if options.compile is None else options.compile
    options.prototypes = options.prototypes or (4096 if gpu else 512)
    options.pool = options.pool or options.out / "pool"
    return options


def begun(options: argparse.Namespace) -> torch.device:
    """Seeds, makes the folder, and says where to compute."""
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("high")
    options.out.mkdir(parents=True, exist_ok=True)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
