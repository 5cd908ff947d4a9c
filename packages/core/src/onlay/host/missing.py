"""The error for a name that no healthy plugin brings: what is broken, what to install, what is
near."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from onlay.errors import OnlayError, PluginError, UnknownName, unknown
from onlay.host.discovery import PluginRecord
from onlay.host.firstparty import BROUGHT_BY, TAKES, distribution_of, install, names_of

if TYPE_CHECKING:
    from onlay.host import PluginHost


def missing(
    kind: str, name: str, known: Iterable[str], records: Iterable[PluginRecord], told: str = ""
) -> OnlayError:
    """`PluginError` with its cause where a plugin that is installed should bring the name, else
    `UnknownName`, with what another plugin `told` of the name."""
    known, records = list(known), list(records)
    ours = distribution_of(kind, name)
    for record in records:
        suspect = name in record.brings.get(kind, ()) or record.distribution == ours
        if record.status != "ok" and (suspect or record.name == name):
            return unusable(kind, name, record)
    if ours:
        return _to_install(kind, name, ours, known)
    if told or (told := _elsewhere(kind, name)):
        error = unknown(kind, name, known, told)
        error.told = told
        return error
    near = get_close_matches(name, {*known, *names_of(kind)}, n=1)
    hint = f"did you mean `{near[0]}`?" if near else _hint(kind, records)
    return unknown(kind, name, known, hint)


def unusable(kind: str, name: str, record: PluginRecord) -> PluginError:
    """The error for a name whose plugin is there and not in use, its failure chained."""
    if record.status == "off":
        return PluginError(f"{kind} `{name}` comes with `{record}`, which is {record.reason}")
    error = PluginError(
        f"{kind} `{name}` needs the plugin `{record}`, which is {record.status}: {record.reason}; "
        f"`onlay plugins show {record.name}` says more"
    )
    error.__cause__ = record.error
    return error


def find_made(
    host: PluginHost, kind: str, name: str, made: Mapping[str, str] | None, holder: str
) -> Any:
    """The descriptor of a name that `holder` needs; where nobody brings it, the error says with
    which distribution it was `made`."""
    try:
        return host.find(kind, name)
    except UnknownName as error:
        distribution, version = (made or {}).get("distribution"), (made or {}).get("version", "")
        if not distribution or distribution_of(kind, name):
            raise  # it says what to install where the name is one of ours
        there = [r for r in host.plugins if r.distribution == distribution]
        if there and there[0].status != "ok":
            raise unusable(kind, name, there[0]) from there[0].error
        raise UnknownName(
            f"{holder} needs the {kind} `{name}`, which is not installed:"
            f" {_comes_with(distribution, version)}"
        ) from error


def with_origin(error: UnknownName, plugins: object, host: PluginHost) -> UnknownName:
    """The error for a run file that notes the `plugins` it was made with: which of other people's
    are not installed now."""
    if not isinstance(plugins, Mapping):
        return error
    there = {*BROUGHT_BY, *(record.distribution for record in host.plugins)}
    gone = [_comes_with(str(d), str(v)) for d, v in plugins.items() if d not in there]
    if not gone:
        return error
    return UnknownName(f"{error}; a plugin that the run was made with is not there: {gone[0]}")


def _comes_with(distribution: str, version: str) -> str:
    if distribution.endswith(".py"):
        return f"it comes with a plugin file, `onlay --plugin {distribution}`"
    exactly = f"{distribution}=={version}" if version else distribution
    return f"it comes with `{f'{distribution} {version}'.strip()}`: {install(exactly)}"


def _elsewhere(kind: str, name: str) -> str:
    """Of names that a method of ours which is not installed takes as its setting."""
    for distribution, (place, names) in TAKES.items():
        if kind == "method" and name in names:
            return f"`{place}{name}` comes with `{distribution}`: {install(distribution)}"
    return ""


def _to_install(kind: str, name: str, distribution: str, known: list[str]) -> UnknownName:
    if kind == "command":
        return UnknownName(f"`{name}` needs `{distribution}`: {install(distribution)}")
    return unknown(kind, name, known, f"it comes with `{distribution}`: {install(distribution)}")


def _hint(kind: str, records: list[PluginRecord]) -> str:
    broken = [f"`{r}`" for r in records if r.status in ("broken", "incompatible")]
    if broken:
        return f"{', '.join(broken)} cannot be used and may bring it: see `onlay plugins`"
    if kind == "backbone" and not any(r.distribution == "onlay-image" for r in records):
        return f"timm's backbones come with `onlay-image`: {install('onlay-image')}"
    return ""
