"""Targets that lie on a picture go where the picture goes: resized, cropped and mirrored alike.

Shapes: H and W pixels, n objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import CenterCrop, InterpolationMode
from torchvision.transforms import v2 as transforms
from torchvision.transforms.v2 import functional

from onlay.batches import Tree, mapped
from onlay.errors import ConfigError, DataError
from onlay.tasks.class_maps import VOID
from onlay_image.data.raster import Layers

Size = tuple[int, int]
"""Height and width."""


BEYOND = -0.0
"""Of maps of numbers beyond a picture's edges: it equals 0, and by its sign who must know the
picture's own part tells it from a hole in there."""


class Nearest(tv_tensors.Mask):
    """Values (H, W) or (n, H, W) of which none is mixed with another one: class numbers, depths.

    torchvision takes the pixel to the left of a new pixel's centre, here it is the one under it.
    """


@transforms.functional.register_kernel(functional="resize", tv_tensor_cls=Nearest)
def _resized(values: Nearest, size: list[int] | None, *args: Any, **kwargs: Any) -> Tensor:
    assert size is not None, "sizes are always given"
    planes = values.as_subclass(Tensor).flatten(0, -3) if values.ndim > 2 else values[None]
    exact = InterpolationMode.NEAREST_EXACT
    moved = functional.resize_image(planes.as_subclass(Tensor), size, exact)
    return Nearest(moved if values.ndim > 2 else moved[0])


@transforms.functional.register_kernel(functional="resized_crop", tv_tensor_cls=Nearest)
def _cropped(
    values: Nearest,
    top: int,
    left: int,
    height: int,
    width: int,
    size: list[int],
    *args: Any,
    **kwargs: Any,
) -> Tensor:
    return _resized(functional.crop(values, top, left, height, width), size)


@transforms.functional.register_kernel(functional="pad", tv_tensor_cls=Nearest)
def _padded(values: Nearest, padding: Any, padding_mode: str = "constant", **kwargs: Any) -> Tensor:
    """Beyond the picture's edges is no class (-1 of signed class numbers), no object (0 of unsigned
    masks of objects), and nothing that was measured (0 of floats: `BEYOND`)."""
    planes = values.as_subclass(Tensor)
    planes = planes if values.ndim > 2 else planes[None]
    fill = {"fill": _beyond(values.dtype)} if padding_mode == "constant" else {}
    made = functional.pad_image(planes, padding, padding_mode=padding_mode, **fill)
    return Nearest(made if values.ndim > 2 else made[0])


def _beyond(dtype: torch.dtype) -> float:
    if dtype.is_floating_point:
        return BEYOND
    return VOID if dtype.is_signed else 0


def _lying(leaf: Any, size: Size) -> Tensor:
    values = torch.as_tensor(leaf)
    _refuse_other_size(values.shape[-2:], size)
    return Nearest(values)


def _refuse_other_size(own: Sequence[int], size: Size) -> None:
    if tuple(own) != size:
        said = "x".join(map(str, own))
        raise DataError(f"the target has {said} pixels and the picture {size[0]}x{size[1]}")


def _boxes(leaf: Any, size: Size) -> Tensor:
    corners = torch.as_tensor(leaf, dtype=torch.float32).reshape(-1, 4)
    make: Any = tv_tensors.BoundingBoxes
    return make(corners, format="XYXY", canvas_size=size)


KINDS: Mapping[str, Callable[[Any, Size], Tensor]] = {
    "mask": _lying,
    "map": _lying,
    "boxes": _boxes,
}
"""What `TaskHead.target_kinds` may say of a leaf."""


def refuse_other_kinds(kinds: Any) -> None:
    """Raise a `ConfigError` for a word that no picture's target has."""
    for kind in words(kinds):
        if kind not in (None, *KINDS):
            have = ", ".join(f"`{name}`" for name in KINDS)
            raise ConfigError(f"nothing on a picture is a `{kind}` (have: {have})")


def words(kinds: Any) -> Sequence[Any]:
    """Of every leaf of a tree of kinds."""
    if isinstance(kinds, Mapping | tuple):
        branches = kinds.values() if isinstance(kinds, Mapping) else kinds
        return [word for branch in branches for word in words(branch)]
    return [kinds]


def lying(target: Tree, kinds: Any, size: Size) -> Tree:
    """The target with each leaf that has a kind as something that torchvision moves with a picture
    of this size. A mapping may tell by an attribute `shape` the size of the picture that all of it
    lies on, which boxes do not.

    Raises:
        DataError: a mask, a map or a whole target of another size; or a target that is no tree like
            `kinds`.
    """
    if isinstance(kinds, Mapping) and isinstance(target, Mapping):
        _refuse_other_size(getattr(target, "shape", size), size)
        return {name: lying(leaf, kinds.get(name), size) for name, leaf in target.items()}
    if isinstance(kinds, tuple) and isinstance(target, tuple) and len(kinds) == len(target):
        return tuple(lying(leaf, kind, size) for leaf, kind in zip(target, kinds, strict=True))
    if kinds is None:
        return target
    if not isinstance(kinds, str) or isinstance(target, Mapping | tuple):
        raise DataError(f"the task moves targets such as {kinds!r}, and these are others")
    return KINDS[kinds](target, size)


def moved(move: Callable[[Any], Any], target: Tree) -> Tree:
    """The target with all that lies on the picture moved."""
    lies = tv_tensors.TVTensor
    return mapped(lambda leaf: move(leaf) if isinstance(leaf, lies) else leaf, target)


def plainly(target: Tree) -> Tree:
    """The target with tensors of torch's own kind and in memory of their own; boxes end at the
    picture's edges, class numbers that were kept in 16 bits are int64, and objects that have left
    the picture are gone."""
    if isinstance(target, Mapping):
        return {name: plainly(leaf) for name, leaf in _still_seen(target).items()}
    if isinstance(target, tuple):
        return tuple(plainly(leaf) for leaf in target)
    return _plain(target)


def _still_seen(target: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the objects whose box, or whose mask beside it, has no area left: their rows of all
    that has one for each object."""
    boxes = [leaf for leaf in target.values() if isinstance(leaf, tv_tensors.BoundingBoxes)]
    if len(boxes) != 1:
        return target
    corners = functional.clamp_bounding_boxes(boxes[0]).as_subclass(Tensor)
    seen = (corners[:, 2:] > corners[:, :2]).all(1)
    for leaf in target.values():
        if _of_objects(leaf, len(corners)):
            seen &= (leaf.as_subclass(Tensor) != 0).flatten(1).any(1)
    if seen.all():
        return target
    return {name: _rows(leaf, seen) for name, leaf in target.items()}


def _of_objects(leaf: Any, count: int) -> bool:
    """Masks (n, H, W), one for each object."""
    plane = isinstance(leaf, Nearest) and not leaf.is_floating_point() and not leaf.dtype.is_signed
    return plane and leaf.ndim == 3 and len(leaf) == count


def _rows(leaf: Any, seen: Tensor) -> Any:
    count = len(seen)
    if isinstance(leaf, list) and len(leaf) == count:
        return [item for item, there in zip(leaf, seen.tolist(), strict=True) if there]
    if isinstance(leaf, tv_tensors.BoundingBoxes) or _of_objects(leaf, count):
        return tv_tensors.wrap(leaf.as_subclass(Tensor)[seen], like=leaf)
    bare = isinstance(leaf, Tensor) and not isinstance(leaf, tv_tensors.TVTensor)
    return leaf[seen] if bare and leaf.ndim and len(leaf) == count else leaf


def _plain(leaf: Any) -> Any:
    if isinstance(leaf, tv_tensors.BoundingBoxes):
        leaf = functional.clamp_bounding_boxes(leaf)
    if isinstance(leaf, list):
        return [_plain(entry) for entry in leaf]
    if not isinstance(leaf, tv_tensors.TVTensor):
        return leaf.clone() if isinstance(leaf, Tensor) else leaf
    bare = leaf.as_subclass(Tensor)
    return bare.long() if bare.dtype == torch.int16 else bare.clone()


def fitted(
    steps: Sequence[Callable[[Image], Image]], layers: Layers, target: Tree
) -> tuple[Layers, Tree]:
    """Both after the steps that resize a picture and crop its centre."""
    for step in steps:
        layers = tuple(step(layer) for layer in layers)
        width, height = layers[0].size
        target = moved(lambda leaf, s=step, to=[height, width]: _stepped(leaf, s, to), target)
    return layers, target


def _stepped(leaf: Any, step: Any, size: list[int]) -> Any:
    if isinstance(step, CenterCrop):
        return functional.center_crop(leaf, size)
    return functional.resize(leaf, size)
