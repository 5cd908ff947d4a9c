"""How sure a difference is: seeds are pairs, data sets are what one wants to speak about.

Checked by `benchmarks/null.py`: under no difference at most 5.5 % of tables claim one, and
intervals hold the truth in 93 to 97 % of cases, for three sizes of the variance between data sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

LEVEL = 0.95
DRAWS = 1999
_NOTHING = 1e-9
"""A spread below this share of what it belongs to is rounding."""
MANY = 6
"""Data sets from which on they are a sample of data sets; and the least with which a signed-rank
test can come below 0.05 at all."""


@dataclass(frozen=True)
class Mean:
    """A mean over seeds."""

    mean: float
    deviation: float | None
    """Sample standard deviation (n - 1); `None` for one seed."""
    low: float | None
    high: float | None
    """The 95 % interval of the mean by Student's t; `None` for one seed."""
    n: int


@dataclass(frozen=True)
class Difference:
    """How far a method is from the reference."""

    mean: float
    low: float | None
    high: float | None
    p: float | None
    """Two-sided; `None` where one pair alone is there, or all differ alike."""
    p_holm: float | None = None
    """Corrected for all methods of the table."""
    wilcoxon: float | None = None
    """Exact signed-rank test over data sets, where there are six or more."""
    wins: int = 0
    ties: int = 0
    losses: int = 0
    """Data sets on which the mean difference is beyond the margin, or within."""
    datasets: int = 1
    seeds: int = 1
    """The least number of pairs on a data set."""
    where: Sequence[str] = ()
    """The data sets, where whoever compares says so."""

    def ahead(self, margin: float) -> bool:
        """Beyond the margin, and beyond chance: alone, and among all that are compared with it as
        far as that was corrected. One pair tells nothing of chance."""
        apart = self.low is not None and self.low > 0
        return self.mean > margin and apart and (self.p_holm is None or self.p_holm < 1 - LEVEL)


def mean_of(values: Sequence[float]) -> Mean:
    """Mean, deviation and interval of one method on one data set."""
    array, n = np.asarray(values, float), len(values)
    if n < 2:
        return Mean(float(array.mean()), None, None, None, n)
    deviation = float(array.std(ddof=1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * deviation / np.sqrt(n))
    mean = float(array.mean())
    return Mean(mean, deviation, mean - half, mean + half, n)


def difference(pairs: Sequence[Sequence[float]], margin: float, seed: int = 0) -> Difference:
    """From the differences of pairs (same seed, same split), for each data set.

    Six data sets and more are taken as a sample of data sets: a bootstrap of data sets, then of
    seeds, studentised. Fewer are taken as they are, and only seeds as chance: Student's t with the
    degrees of freedom of Welch and Satterthwaite.
    """
    arrays = [np.asarray(own, float) for own in pairs]
    means = np.array([own.mean() for own in arrays])
    low, high, p = _bootstrapped(arrays, seed) if len(arrays) >= MANY else _as_they_are(arrays)
    return Difference(
        mean=float(means.mean()),
        low=low,
        high=high,
        p=p,
        wilcoxon=_signed_ranks(means),
        wins=int((means > margin).sum()),
        ties=int((np.abs(means) <= margin).sum()),
        losses=int((means < -margin).sum()),
        datasets=len(arrays),
        seeds=min(map(len, arrays)),
    )


def corrected(found: Mapping[str, Difference | None]) -> dict[str, Difference | None]:
    """With Holm's correction for all of them."""
    values = holm({name: each.p if each else None for name, each in found.items()})
    return {n: replace(each, p_holm=values[n]) if each else None for n, each in found.items()}


def holm(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's correction; what has no p-value takes no part.

    >>> holm({"a": 0.01, "b": 0.04, "c": None})
    {'a': 0.02, 'b': 0.04, 'c': None}
    """
    known = sorted((p, name) for name, p in values.items() if p is not None)
    corrected, least = dict.fromkeys(values, None), 0.0
    for place, (p, name) in enumerate(known):
        least = max(least, min(1.0, (len(known) - place) * p))
        corrected[name] = least
    return corrected


def cannot_show(datasets: int, seeds: int) -> str:
    """Where no result could come below 0.05, a sentence that says so."""
    if datasets < MANY and seeds < 2:
        return "one seed cannot show p < 0.05: nothing tells a difference from chance"
    if MANY > datasets > 1:
        return (
            f"{datasets} data sets cannot show p < 0.05 in a signed-rank test over data sets (6"
            " can): p is over seeds, and holds for these data sets alone"
        )
    if datasets == 1 and seeds < MANY:
        return (
            f"{seeds} seeds cannot show p < 0.05 in a signed-rank test (6 can): p is Student's,"
            " which takes differences as normal"
        )
    return ""


def _as_they_are(arrays: Sequence[np.ndarray]) -> tuple[float | None, float | None, float | None]:
    counts = np.array([len(own) for own in arrays])
    if (counts < 2).any():
        return None, None, None
    mean = float(np.mean([own.mean() for own in arrays]))
    parts = np.array([own.var(ddof=1) for own in arrays]) / counts / len(arrays) ** 2
    error = float(np.sqrt(parts.sum()))
    # All pairs differ alike, seldom because there is no chance: accuracies of a few hundred items
    # have steps, and two seeds often meet on one. So nothing is said of certainty.
    if error <= _NOTHING * max(abs(mean), 1e-300):
        return None, None, None
    freedom = parts.sum() ** 2 / (parts**2 / (counts - 1)).sum()
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return mean - half, mean + half, float(2 * stats.t.sf(abs(mean) / error, freedom))


def _bootstrapped(
    arrays: Sequence[np.ndarray], seed: int
) -> tuple[float | None, float | None, float | None]:
    """Hierarchical and studentised: a plain percentile interval of six seeds holds the truth in 85
    of 100 cases."""
    generator, n = np.random.default_rng(seed), len(arrays)
    means = np.array([own.mean() for own in arrays])
    mean, error = float(means.mean()), float(means.std(ddof=1) / np.sqrt(n))
    if error <= _NOTHING * max(abs(mean), 1e-300):
        return None, None, None
    drawn = np.stack(  # (data sets, draws, data sets): each again, every time with other seeds
        [own[generator.integers(0, len(own), (DRAWS, n, len(own)))].mean(2) for own in arrays]
    )
    which = generator.integers(0, n, (DRAWS, n))
    again = drawn[which, np.arange(DRAWS)[:, None], np.arange(n)]
    errors = again.std(1, ddof=1) / np.sqrt(n)
    spread = errors > _NOTHING * error
    if spread.mean() < (1 + LEVEL) / 2:  # data sets too alike: their ties would make the interval
        return None, None, None
    t = (again.mean(1) - mean)[spread] / errors[spread]
    below, above = np.quantile(t, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    p = (1 + (np.abs(t) >= abs(mean / error)).sum()) / (len(t) + 1)
    return float(mean - above * error), float(mean - below * error), float(p)


def _signed_ranks(means: np.ndarray) -> float | None:
    if len(means) < MANY or not means.any():
        return None
    return float(stats.wilcoxon(means, method="auto").pvalue)
