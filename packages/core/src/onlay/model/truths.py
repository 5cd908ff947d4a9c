"""Where the truth about files is: in labelled data, a run's own or other ones of its layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onlay.config import load
from onlay.config.run import RunConfig
from onlay.descriptors import resolve
from onlay.errors import ConfigError, DataError
from onlay.model.assemble import move_targets
from onlay.model.splits import read_splits

if TYPE_CHECKING:
    from onlay.host import PluginHost
    from onlay.model.adapted import AdaptedModel

TargetOf = Callable[[Path], Any]


def nowhere(file: Path) -> None:
    """Nothing is known of any file."""


def truths(
    run: Path, model: AdaptedModel, files: Sequence[Path], place: Path | None, host: PluginHost
) -> TargetOf:
    """What is known of files: of `place`, labelled data of the layout of the run's own or the truth
    of a single file; without it of the run's data, if files lie in their folder.

    Raises:
        ConfigError: a `place` where nothing says how it is read.
        DataError: the data cannot be used, or a `place` that holds none of the files.
    """
    path = run / "config.yaml"
    if not path.is_file():
        if place is not None:
            raise ConfigError(
                f"`--truth` is read as the data of a run, and `{run}` holds no `config.yaml`: give"
                " the run's folder"
            )
        return nowhere
    config = load(path, (), host=host)
    if place is not None and place.is_file() and len(files) == 1:
        return _single(config, model, files[0], place, host)
    if place is None and not _inside(config, files):
        return nowhere
    found = _Found(_parts(config, model, place, host), model.head)
    if place is not None and not any(found(file) is not None for file in files):
        raise DataError(f"`{place}` holds no truth about `{files[0]}`: none of its items is that")
    return found


def _inside(config: RunConfig, files: Sequence[Path]) -> bool:
    """Whether a file lies where the run's data do."""
    place = getattr(config.data, "path", None)
    return place is not None and any(Path(place).resolve() in f.resolve().parents for f in files)


def _parts(
    config: RunConfig, model: AdaptedModel, place: Path | None, host: PluginHost
) -> Iterator[Any]:
    """All parts of the data, unchanged by chance."""
    spec = model.built.input_spec
    if place is not None:
        changed = config.data.model_copy(update={"path": place})
        config = config.model_copy(update={"data": changed, "fold": None})
        data = host.find("dataset", config.data.name)
        if data.whole is not None:
            yield resolve(data.whole)(config.data, spec, model.head.labels).everything
            return
    splits = read_splits(config, spec, host)
    for part in (getattr(splits.train, "plain", splits.train), splits.validation, splits.test):
        if part is not None:
            yield part


def _single(
    config: RunConfig, model: AdaptedModel, file: Path, truth: Path, host: PluginHost
) -> TargetOf:
    data = host.find("dataset", config.data.name)
    if data.truth is None:
        raise ConfigError(
            f"data set `{data.name}` has no files that are the truth of a single one: give"
            " `--truth` a folder of such data"
        )
    facts = model.preprocessing
    part = resolve(data.truth)(config.data, file, truth, facts, model.head.labels)
    move_targets(model.head, part)
    return lambda asked: part[0][1]


class _Found:
    """Looks files up among the `sources` of parts."""

    def __init__(self, parts: Iterator[Any], head: Any) -> None:
        self.places: dict[Path, tuple[Any, int]] = {}
        for part in parts:
            move_targets(head, part)
            for index, source in enumerate(getattr(part, "sources", ())):
                if isinstance(source, Path):
                    self.places[source.resolve()] = part, index

    def __call__(self, file: Path) -> Any:
        """The target, as it lies on the input that is made of the file."""
        if file.resolve() not in self.places:
            return None
        part, index = self.places[file.resolve()]
        return part[index][1]
