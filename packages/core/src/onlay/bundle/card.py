"""The model card, made from the run: no blanks, nothing that was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from onlay.bundle.manifest import Manifest
from onlay.bundle.markdown import cell, code
from onlay.machine.guard import shown
from onlay.reports import Measure, measure_named

_PIPELINES = dict.fromkeys(
    (("image", "classification"), ("image", "multilabel")), "image-classification"
)
"""What a hub calls a modality and a task."""
_NOUNS = {"multilabel": "labels", "regression": "numbers"}
"""What the outputs are called, where they are no classes."""


def model_card(manifest: Manifest, record: Mapping[str, Any], *, size: int) -> str:
    """Markdown with a YAML head that hubs read; `size` is that of the tensor file in bytes."""
    return f"---\n{_head(manifest, record)}---\n\n" + "\n".join(_body(manifest, record, size))


def _head(manifest: Manifest, record: Mapping[str, Any]) -> str:
    head: dict[str, Any] = {"library_name": "onlay", "tags": ["onlay", manifest.method["name"]]}
    if pipeline := _pipeline(manifest):
        head["pipeline_tag"] = pipeline
    if _on_the_hub(manifest):
        head |= {
            "base_model": f"timm/{manifest.backbone.label}",
            "base_model_relation": "adapter",
        }
    if manifest.metrics:
        head["model-index"] = [_index(manifest, record)]
    text = StringIO()
    YAML(typ="safe", pure=True).dump(head, text)
    return text.getvalue()


def _pipeline(manifest: Manifest) -> str | None:
    return _PIPELINES.get((manifest.modality, manifest.task["name"]))


def _on_the_hub(manifest: Manifest) -> bool:
    source = manifest.backbone.source
    return source.get("name") == "timm" and bool(source.get("pretrained"))


def _index(manifest: Manifest, record: Mapping[str, Any]) -> dict[str, Any]:
    metrics = [{"type": k, "name": k, "value": v} for k, v in manifest.metrics.items()]
    dataset = shown(str(record.get("dataset", "unnamed")))
    result = {
        "task": {"type": _pipeline(manifest) or manifest.task["name"]},
        "dataset": {"name": dataset, "type": dataset},
        "metrics": metrics,
    }
    return {"name": f"{manifest.method['name']} on {manifest.backbone.label}", "results": [result]}


def _body(manifest: Manifest, record: Mapping[str, Any], size: int) -> Iterator[str]:
    method, backbone = manifest.method["name"], manifest.backbone
    count = sum(manifest.parameters.values())
    yield f"# {code(method)} on {code(backbone.label)}\n"
    yield (
        f"An Onlay adapter: {count:,} trained parameters"
        f" ({100 * count / backbone.parameters:.2f} % of the frozen backbone's"
        f" {backbone.parameters:,}), {size / 1024:,.0f} KiB.\n"
    )
    parts = ", ".join(f"{part} {n:,}" for part, n in manifest.parameters.items())
    yield f"- trained parameters: {parts}"
    more = ", ..." if len(manifest.labels) > 20 else ""
    noun = _NOUNS.get(manifest.task["name"], "classes")
    yield f"- {noun} ({len(manifest.labels)}): {', '.join(map(code, manifest.labels[:20]))}{more}"
    yield f"- backbone weights: fingerprint `{backbone.fingerprint[:16]}`"
    for name in ("dataset", "split", "seed", "epochs", "command"):
        if record.get(name) is not None:
            yield f"- {name}: {code(record[name])}"
    versions = {p["distribution"]: p["version"] for p in manifest.packages.values()}
    yield "- made with " + ", ".join(code(f"{n} {v}") for n, v in sorted(versions.items())) + "\n"
    if manifest.metrics:
        yield "| metric | value |\n|---|---|"
        measures = record.get("measures", {})
        yield from (f"| {cell(n)} | {_told(n, v, measures)} |" for n, v in manifest.metrics.items())
        yield ""
    yield "```python\nimport onlay\n\nmodel = onlay.load('path/to/this/folder')\n```\n"


def _told(name: str, value: float, measures: Mapping[str, Measure]) -> str:
    return cell(measure_named(name, measures).text(value)) if measures else f"{value:.4g}"
