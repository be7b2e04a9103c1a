"""A lineage with all that a drawing of it says: aliases and sizes of versions, and how long runs took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.artifacts.collection import Collection, Place
from runhaven_server.artifacts.shapes import ChangeShape, EdgeShape, LineageShape, NodeShape, PlaceShape
from runhaven_server.values import legible

if TYPE_CHECKING:
    from runhaven.api.lineage import Lineage, Node
    from runhaven_server.artifacts.finding import Finder
    from runhaven_server.library import Library


class Drawing:
    """Says of each node what is shown of it; each collection is read once."""

    def __init__(self, library: Library, finder: Finder) -> None:
        """Prepare; reads nothing yet."""
        self._library = library
        self._finder = finder
        self._collections: dict[Place, tuple[dict[int, int], dict[int, list[str]]]] = {}

    def draw(self, lineage: Lineage) -> LineageShape:
        """Return a lineage as the API has it."""
        return LineageShape(
            root=lineage.root,
            nodes=[self._node(node) for node in lineage.nodes.values()],
            edges=[EdgeShape(**edge._asdict()) for edge in lineage.edges],
        )

    def _node(self, node: Node) -> NodeShape:
        more = self._version(node) if node.kind == "artifact" else self._run(node)
        changes = [
            ChangeShape(**{name: text and legible(text) for name, text in change._asdict().items()})
            for change in node.changes
        ]
        return NodeShape(
            id=node.id, kind=node.kind, name=legible(node.name), type=legible(node.type), state=node.state,
            created=node.created, changes=changes, **more,
        )  # fmt: skip

    def _run(self, node: Node) -> dict[str, Any]:
        ulid = node.id.removeprefix("run:")
        record = self._library.record(ulid)
        runtime_s = record.runtime_s if record else None
        return {"place": None, "ulid": ulid, "aliases": [], "size": None, "runtime_s": runtime_s}

    def _version(self, node: Node) -> dict[str, Any]:
        path, _, label = node.path.rpartition(":")
        place = Place(*path.split("/"))
        if place not in self._collections:
            found = self._finder.read(Collection(self._library.store, place))
            self._collections[place] = {one.number: one.size for one in found.versions}, found.aliases()
        sizes, aliases = self._collections[place]
        number = int(label[1:])
        return {
            "place": PlaceShape(**place._asdict(), version=label),
            "ulid": "",
            "aliases": [legible(word) for word in aliases.get(number, [])],
            "size": sizes.get(number),
            "runtime_s": None,
        }
