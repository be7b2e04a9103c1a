"""The layers of a model and what they hand to each other."""

from __future__ import annotations

import json
import pprint
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from runhaven.errors import UsageError
from runhaven.media import filing
from runhaven.media.kind import Media
from runhaven.value import to_json

if TYPE_CHECKING:
    from runhaven.media.kind import Reference, Sink


class Node:
    """A layer.

    Attributes:
        id: Unique in its graph.
        name: What it is called.
        class_name: Of which class it is.
        size: How large it is.
        parameters: Its parameters.
        output_shape: The shape of what it returns.
        is_output: Whether it is the last.
        num_parameters: How many numbers it learns.
    """

    id: Any
    name: str | None
    class_name: str | None
    size: Any
    parameters: Any
    output_shape: Any
    is_output: bool | None
    num_parameters: Any

    def __init__(  # noqa: PLR0913, PLR0917 - W&B's signature
        self,
        id: Any = None,  # noqa: A002 - W&B's name
        name: str | None = None,
        class_name: str | None = None,
        size: Any = None,
        parameters: Any = None,
        output_shape: Any = None,
        is_output: bool | None = None,
        num_parameters: Any = None,
        node: Node | None = None,
    ) -> None:
        """Describe a layer, on top of what another one says."""
        given = {
            "id": id, "name": name, "class_name": class_name, "size": size, "parameters": parameters,
            "output_shape": output_shape, "is_output": is_output, "num_parameters": num_parameters,
        }  # fmt: skip
        for key, value in given.items():
            setattr(self, key, value if value is not None or node is None else getattr(node, key))

    @classmethod
    def from_keras(cls, layer: Any) -> Node:
        """Describe a layer of Keras'."""
        output = getattr(layer, "output", None)
        shape: Any = getattr(layer, "output_shape", None) or getattr(output, "shape", None)
        return cls(
            id=layer.name,
            name=layer.name,
            class_name=type(layer).__name__,
            output_shape=[None if size is None else int(size) for size in shape] if shape is not None else None,
            num_parameters=int(layer.count_params()) if getattr(layer, "built", True) else None,
        )

    def described(self) -> dict[str, Any]:
        """Return what is known of it."""
        return {key: to_json(value) for key, value in vars(self).items() if value is not None}


class Graph(Media):
    """Layers and the edges between them."""

    type_name = "graph-file"

    def __init__(self, format: str = "keras") -> None:  # noqa: A002 - W&B's name
        """Start without a layer.

        Args:
            format: Which library the layers come from.
        """
        self._library = format
        self._nodes: dict[Any, Node] = {}
        self._edges: list[tuple[Any, Any]] = []

    def __getitem__(self, nid: Any) -> Node:
        """Return a layer by its id."""
        return self._nodes[nid]

    def add_node(self, node: Node | None = None, **node_kwargs: Any) -> Node:
        """Add a layer."""
        made = Node(node=node, **node_kwargs)
        made.id = len(self._nodes) if made.id is None else made.id
        self._nodes[made.id] = made
        return made

    def add_edge(self, from_node: Any, to_node: Any) -> None:
        """Say that one layer hands its output to another; both by id, or as they were added.

        Raises:
            UsageError: If a layer was not added.
        """
        ends = [end.id if isinstance(end, Node) else end for end in (from_node, to_node)]
        if not all(end in self._nodes for end in ends):
            message = f"an edge from {ends[0]!r} to {ends[1]!r} needs both; add_node() them first."
            raise UsageError(message)
        self._edges.append((ends[0], ends[1]))

    def pprint(self) -> None:
        """Print the layers."""
        pprint.pprint([node.described() for node in self._nodes.values()])  # noqa: T203 - what the caller asks for

    @classmethod
    def from_keras(cls, model: Any) -> Graph:
        """Describe a model of Keras', its layers joined in their order where it is a sequence."""
        graph = cls("keras")
        nodes = [graph.add_node(Node.from_keras(layer)) for layer in model.layers]
        if type(model).__name__ == "Sequential":
            for one, following in pairwise(nodes):
                graph.add_edge(one, following)
            return graph
        for layer in model.layers:
            for before in _inputs(layer):
                if before in graph._nodes:
                    graph.add_edge(before, layer.name)
        return graph

    def snapshot(self) -> Graph:
        """Copy the lists."""
        taken = Graph(self._library)
        taken._nodes = {key: Node(node=node) for key, node in self._nodes.items()}
        taken._edges = list(self._edges)
        return taken

    def keep(self, sink: Sink) -> Reference:
        """Write JSON."""
        content = {
            "format": self._library,
            "nodes": [node.described() for node in self._nodes.values()],
            "edges": [[to_json(one), to_json(other)] for one, other in self._edges],
        }
        data = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        return self.described(sink.put(data, "graph.json") | {"nodes": len(self._nodes)})

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> Graph:
        """Make the layers and edges of their JSON."""
        content = filing.read_json(artifact, reference)
        graph = cls(content["format"])
        for node in content["nodes"]:
            graph.add_node(**node)
        for one, other in content["edges"]:
            graph.add_edge(one, other)
        return graph


def _inputs(layer: Any) -> list[str]:
    """Return the names of the layers whose output a layer of a functional model takes."""
    names: list[str] = []
    for node in getattr(layer, "_inbound_nodes", ()):
        parents: Any = getattr(node, "parent_nodes", None) or getattr(node, "inbound_layers", ())
        found = cast("list[Any]", parents) if isinstance(parents, list | tuple) else [parents]
        names += [getattr(getattr(parent, "operation", parent), "name", "") for parent in found]
    return names
