"""Whether all methods had the same search."""

from __future__ import annotations

from collections.abc import Iterator

from onlay_train.grid.report.rows import Found, Search


def budgets(found: Found) -> Iterator[str]:
    """A sentence for each method whose search came to fewer trials than was planned, and one where
    they differ: who searched more looks better."""
    ended = [search for search in found.searches if not search.open]
    for method in dict.fromkeys(search.method for search in ended):
        own = [search for search in ended if search.method == method]
        if short := [search for search in own if search.tried < search.trials]:
            yield _short(method, short)
    tried = {search.tried for search in ended}
    if len(tried) > 1:
        yield (
            f"Search budgets differ, from {min(tried)} to {max(tried)} trials that count: who"
            " searched more looks better."
        )


def _short(method: str, searches: list[Search]) -> str:
    planned, tried = (sum(getattr(s, name) for s in searches) for name in ("trials", "tried"))
    failed, diverged = (sum(getattr(s, name) for s in searches) for name in ("failed", "diverged"))
    if not failed and all(search.tried == 1 for search in searches):
        return f"`{method}` has no key that is searched: its trials are one training."
    lost = f" ({failed} failed{f', {diverged} of them diverged' if diverged else ''})"
    return f"The search of `{method}` came to {tried} of {planned} trials{lost if failed else ''}."


def of_trials(tried: int, planned: int) -> str:
    """`12`, or `9 of 12`; nothing where there was no search."""
    return "" if not planned else str(planned) if tried == planned else f"{tried} of {planned}"
