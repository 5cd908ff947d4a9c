"""How many points of a data set were not measured, and saying so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from onlay.machine.notes import note
from onlay_pointcloud.data.scan import told


class LeftOut:
    """Points that were not measured, counted over files. At the first of them it is said,
    unless they are `held` until all files are read."""

    def __init__(self) -> None:
        self.counts, self.files = Counter[str](), list[Path]()
        self.held = self.said = False

    @classmethod
    def silent(cls) -> LeftOut:
        """One of which nothing is said, of files that are read once more."""
        found = cls()
        found.held = True
        return found

    def add(self, path: Path, counts: Counter[str]) -> None:
        if not counts:
            return
        self.counts += counts
        self.files.append(path)
        if not self.held and not self.said:
            self.said = True
            note(self.notes()[0])

    def facts(self) -> dict[str, dict[str, int]]:
        """For the log and the model card."""
        return {"left_out": dict(self.counts)} if self.counts else {}

    def notes(self) -> tuple[str, ...]:
        """What was counted so far, as a sentence if there is any."""
        if not self.files:
            return ()
        more = f" and {len(self.files) - 1:,} more" if len(self.files) > 1 else ""
        return (
            f"left out: points at which nothing was measured, {told(self.counts)}, of"
            f" `{self.files[0]}`{more} (`preprocess.unmeasured: keep` keeps them)",
        )
