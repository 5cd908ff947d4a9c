"""Settings of Adapter-X.

The authors published no code. The structure is that of the figure in their repository
(github.com/leoli646/Adapter-X) for the paper, arXiv:2406.03051; what the figure leaves open is a
reading, and each field says so.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from onlay.settings import Config


class SmoaConfig(Config):
    """Adapter-X: a Sharing Mixture of Adapters (SMoA), that is one routed library of small adapters
    for all blocks, with norms, prompts and class token of each block's own."""

    name: Literal["smoa"] = "smoa"

    base: Literal["adaptformer", "adapter", "dapt"] = "adaptformer"
    """The adapter that is made a mixture of. `adaptformer`, the paper's AdaptFormer-X: down, ReLU,
    up, parallel to the MLP; `adapter`, its Adapter-X: the same behind the MLP, before the residual
    sum; `dapt`, its DAPT-X for point clouds: parallel, with a layer norm, GELU and a scale of its
    own for each sub-token. That the experts are these is a reading: the figure shows boxes, and the
    authors name the base methods in their results."""

    experts: PositiveInt = 16
    """Size N of the library. A reading: with the default heads and rank the count on ViT-B,
    171,393, is the published 0.17 M (0.200 %)."""

    heads: PositiveInt | None = None
    """Into how many sub-tokens h every token is split; each is routed by itself. Must divide the
    width. Default: as many as the backbone's attention has heads, 12 on ViT-B and 6 on Point-MAE,
    where a sub-token is 64 wide on both. A reading: the published 2D count asks for a multiple of
    three; the figure draws three."""

    rank: PositiveInt = 64
    """Width r of an expert's bottleneck. A reading: 64, as in the AdaptFormer of the paper's
    comparison."""

    query_width: PositiveInt | None = None
    """Width d_e of the space in which sub-tokens and expert embeddings are compared. Default: half
    as wide as there are experts. A reading: the rule of X-MoE (Chi et al. 2022, section 3.1), which
    the authors thank; its code has 16."""

    normalize_query: bool = True
    """Compare by the cosine, with both sides normalised (X-MoE, equation 6). The authors' figure
    draws the norm at the embeddings alone, as X-MoE's code has it: `false`."""

    temperature: PositiveFloat = 0.3
    """Where the temperature of the gate's softmax starts. A reading: X-MoE starts a softmax gate at
    0.3."""

    learn_temperature: bool = True
    """Train that temperature, one number for each library, kept as its logarithm. A reading: X-MoE
    does; the figure shows none. `false` keeps it; no source has a schedule."""

    gate: Literal["probability", "one"] = "probability"
    """What the winner's output is multiplied with: its `probability`, as drawn, which is about 0.26
    at the start with 16 experts; or `one`, and the router still learns through the gradient of the
    probability (relative to its value), a straight-through estimate that no source has."""

    balance_weight: float = Field(default=0.01, ge=0)
    """How much the balance loss counts, N * sum(f P), averaged over blocks; 0 leaves it out. A
    reading: the figure shows no loss; 0.01 is that of the Switch Transformer (Fedus et al. 2021)
    and of X-MoE (equations 8 and 9)."""

    balance_temperature: PositiveFloat = 0.3
    """Temperature of the probabilities P in the balance loss; fixed, as in X-MoE."""

    jitter: float = Field(default=0.0, ge=0, lt=1)
    """While training, what the router reads is multiplied by noise from [1 - jitter, 1 + jitter].
    A reading: none, as in X-MoE; the Switch Transformer has 0.01."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout in the bottleneck. A reading: AdaptFormer's 0.1; the 3D presets have DAPT's."""

    expert_bias: bool = True
    """Biases in the experts of `adaptformer` and `adapter`. A reading: with them the 2D count fits;
    the code base that the authors seem to have started from has none. DAPT's have them always."""

    scale: PositiveFloat = 1.0
    """What the mixture's output is multiplied with. A reading: the authors' 2D results rest on a
    code base that chooses it for each task among 0.01, 0.1, 1 and 10; the presets `vtab1k-...`
    hold its choices."""

    sharing: Literal["stage", "none"] = "stage"
    """`stage`: library and router are one object for all blocks of a stage; a ViT and a point
    backbone are one stage, so for all blocks, as in the paper. `none`: each block has its own, for
    comparison."""

    block_norm: bool = True
    """Train an own copy of the norm of each block's MLP (the paper's block-specific norm)."""

    prompts: bool | None = None
    """Insert a prompt after every block, a scaled and shifted mean of what its mixture put out,
    behind the class token; they accumulate. Default: where the backbone takes more tokens, that is
    not on Swin, whose windows have none to spare."""

    prompt_activation: Literal["none", "gelu"] = "none"
    """What the prompt generator does before its mean. A reading: the figure shows nothing; DAPT has
    GELU."""

    last_prompt: bool = True
    """Let the last block insert one, too, as drawn. No block reads it, so that it trains only where
    the head pools prompts; `false` leaves its parameters out."""

    class_token: bool = True
    """Train the class token and, of a point cloud, its position embedding, where there are any. For
    the position a reading: DAPT's code trains all that is named `cls`."""

    position: Literal["once", "every_block", "backbone"] = "backbone"
    """Where a point cloud's position embeddings are added: as the `backbone` learnt them; `once`,
    before the first block; or before `every_block`, where inserted tokens get none. A reading: the
    3D results rest on DAPT's code, which adds them once, and so do the presets; few labels showed
    that the backbone's way is better or level. Image ViTs have no such setting."""


def refusal(config: SmoaConfig, provides: frozenset[str]) -> str:
    """Prompts that are asked for need room."""
    if not config.prompts or "insertion" in provides:
        return ""
    return (
        "its attention works in windows of a fixed number of tokens, where the prompts that"
        " `method.prompts` asks for have no place; leave it out"
    )
