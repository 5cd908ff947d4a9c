"""scikit-learn's handwritten digits, which need no download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onlay.data import Splits
from onlay.reading.listing import Item, Listing, stratified
from onlay_image.data.config import DigitsConfig
from onlay_image.data.splits import make_splits

TEST, VALIDATION = 617, 180


def build(config: DigitsConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """1,000 digits or fewer to train, 180 to validate, 617 to test; ink is white on black."""
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype(np.uint8)
    items = [
        Item(image, str(label), str(number))
        for number, (image, label) in enumerate(zip(pixels, digits.target, strict=True))
    ]
    rest, test = stratified(items, TEST, config.split_seed, noun="image")
    train, validation = stratified(rest, VALIDATION, config.split_seed, noun="image")
    train, _ = stratified(train, len(train) - config.train_size, config.split_seed, noun="image")
    return make_splits(Listing(train, validation, test), config, input_spec)
