"""Objects in space: clouds of points with boxes, and models from files."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from runhaven.errors import UsageError
from runhaven.media.kind import Media, lenient
from runhaven.media.source import checked_path, extension, hold, is_path, read_stream
from runhaven.value import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven.media.kind import Reference, Sink

_COLUMNS = (3, 4, 6)


class Object3D(Media):
    """A cloud of points or a model."""

    type_name = "object3D-file"
    list_type = "object3D"
    told_fields = ("points",)
    SUPPORTED_TYPES: ClassVar[set[str]] = {"obj", "gltf", "glb", "babylon", "stl", "pts.json"}
    SUPPORTED_POINT_CLOUD_TYPES: ClassVar[set[str]] = {"lidar/beta"}

    @lenient
    def __init__(self, data_or_path: Any, caption: str | None = None, **kwargs: str | None) -> None:
        """Take an object; later changes of the caller's data do not reach it.

        Args:
            data_or_path: Points (N x 3, x 4 with a class, or x 6 with a colour), a dict with "type", "points", "boxes" and
                "vectors", the path of a file, or an open one.
            caption: A line of text.
            **kwargs: `file_type`, needed for an open file: one of `SUPPORTED_TYPES`.
        """
        self.caption = caption
        self._format = kwargs.pop("file_type", None)
        self._path = self._content = self._scene = self._held = None
        if kwargs:
            message = f"Object3D got unexpected arguments: {', '.join(sorted(kwargs))}."
            raise UsageError(message)
        if is_path(data_or_path):
            self._path = data_or_path
        elif isinstance(data_or_path, Mapping):
            self._scene = {str(key): _taken(value) for key, value in cast("Mapping[Any, Any]", data_or_path).items()}
        else:
            self._content = read_stream(data_or_path)
            self._held = None if self._content is not None else hold(data_or_path)

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: str | None = None) -> Object3D:
        """Take a file."""
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any) -> Object3D:
        """Take points, N x 3, x 4 or x 6."""
        return cls(data)

    @classmethod
    def from_point_cloud(
        cls,
        points: Any,
        boxes: Sequence[Any],
        vectors: Sequence[Any] | None = None,
        point_cloud_type: str = "lidar/beta",
    ) -> Object3D:
        """Take points with boxes and vectors."""
        return cls({"type": point_cloud_type, "points": points, "boxes": boxes, "vectors": vectors or []})

    def check(self) -> None:
        """Look at format, shape and type."""
        if self._path is not None or self._content is not None:
            found = self._format or (
                extension(checked_path(self._path, "Object3D"), self.SUPPORTED_TYPES)
                if self._path is not None
                else None
            )
            if found not in self.SUPPORTED_TYPES:
                message = (
                    f"the format of an object must be one of {', '.join(sorted(self.SUPPORTED_TYPES))}, not {found!r}."
                )
                raise UsageError(message)
        elif self._scene is not None:
            if self._scene.get("type") not in self.SUPPORTED_POINT_CLOUD_TYPES:
                message = f"an object from a dict needs \"type\": 'lidar/beta', not {self._scene.get('type')!r}."
                raise UsageError(message)
        elif self._held is None:
            message = "Object3D takes points as an array, a dict, or the path of a file."
            raise UsageError(message)
        elif not self._held.has_numbers or len(self._held.shape) != 2 or self._held.shape[1] not in _COLUMNS:  # noqa: PLR2004
            message = f"points must be N x 3, N x 4 or N x 6 numbers, not of shape {self._held.shape}."
            raise UsageError(message)

    def weight(self) -> int:
        """Return about how many bytes the copy holds."""
        held = [self._held, *(self._scene or {}).values()]
        return len(self._content or b"") + sum(int(getattr(one, "weight", 0)) for one in held)

    def keep(self, sink: Sink) -> Reference:
        """Keep a file as it is, and points as JSON."""
        if self._content is not None:
            return self.described(sink.put(self._content, self._format or "obj"))
        if self._path is not None:
            path = checked_path(self._path, "Object3D")
            found = self._format or extension(path, self.SUPPORTED_TYPES) or "obj"
            return self.described(sink.put_file(path, found) | self.told)
        if self._scene is not None:
            scene: Any = {
                key: value.array().tolist() if hasattr(value, "weight") else value for key, value in self._scene.items()
            }
            count = len(scene.get("points", ()))
        else:
            assert self._held is not None, "checked where it was logged"
            scene = self._held.array().tolist()
            count = len(scene)
        text = json.dumps(to_json(scene), separators=(",", ":"))
        return self.described(sink.put(text.encode(), "pts.json") | {"points": count})


def _taken(value: Any) -> Any:
    """Copy a part of a scene; arrays stay arrays, for lists of a million points take long to copy."""
    return hold(value) if hasattr(value, "dtype") else copy.deepcopy(value)


def box3d(
    *,
    center: Any,
    size: Any,
    orientation: Any,
    color: Any,
    label: str | None = None,
    score: float | None = None,
) -> dict[str, Any]:
    """Return a box of a cloud of points.

    Args:
        center: Its middle, (x, y, z).
        size: Its edges.
        orientation: How it is turned: a quaternion.
        color: Its colour, three numbers from 0 to 255.
        label: A word beside it.
        score: A number beside it.

    Raises:
        UsageError: If a number is missing.
    """
    values = {"center": (center, 3), "size": (size, 3), "orientation": (orientation, 4), "color": (color, 3)}
    found: dict[str, Any] = {}
    for name, (value, count) in values.items():
        numbers = [float(one) for one in value]
        if len(numbers) != count:
            message = f"{name} takes {count} numbers, not {len(numbers)}."
            raise UsageError(message)
        found[name] = numbers
    return found | ({} if label is None else {"label": label}) | ({} if score is None else {"score": float(score)})
