"""Lineage: the runs and the versions of artifacts that something was made from, and what was made from it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from runhaven.api.run import Run
from runhaven.artifacts.checked import read_manifest
from runhaven.artifacts.comparing import changes_of
from runhaven.artifacts.relations import Key, Relations
from runhaven.errors import StoreError, UsageError
from runhaven.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runhaven.artifacts.collection import Collection, Version
    from runhaven.artifacts.comparing import Change

Direction = Literal["upstream", "downstream", "both", "connected"]
Check = Literal["none", "local", "all"]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A run, or a version of an artifact.

    Attributes:
        id: `run:<ulid>` or `artifact:<entity>/<project>/<name>:v<n>`.
        kind: What it is.
        name: Of a run, its name for people; of a version, `name:v3`.
        path: `entity/project/id` or `entity/project/name:v3`.
        type: The artifact's type, or the run's job type.
        state: That of the run; "committed" for a version; "deleted" for either.
        created: When it was made, microseconds since the epoch; None where nobody knows any more.
        changes: References of a version that are not any more what they were when it was logged.
    """

    id: str
    kind: Literal["run", "artifact"]
    name: str
    path: str
    type: str
    state: str
    created: int | None
    changes: tuple[Change, ...] = ()

    @property
    def is_deleted(self) -> bool:
        """Whether it is gone."""
        return self.state == "deleted"


class Edge(NamedTuple):
    """A step on the way of the data.

    Attributes:
        source: The node that it comes from.
        target: The node that it goes to.
        kind: "input" of a run, "output" of a run, or "link" from a version to a link to it.
        use_as: What the run used it as, if that was said.
    """

    source: str
    target: str
    kind: Literal["input", "output", "link"]
    use_as: str | None = None


@dataclass(frozen=True)
class Lineage:
    """A graph of runs and versions.

    Attributes:
        root: The id of the node that was asked about.
        nodes: All nodes, by id; the root is the first.
        edges: All edges, each in the direction that the data took.
    """

    root: str
    nodes: dict[str, Node]
    edges: list[Edge]

    def next_to(self, id: str, direction: Literal["upstream", "downstream"]) -> list[tuple[Edge, Node]]:  # noqa: A002 - the term of the graph
        """Return the edges that lead to a node, or away from it, each with the node at its other end."""
        if direction == "upstream":
            return [(edge, self.nodes[edge.source]) for edge in self.edges if edge.target == id]
        return [(edge, self.nodes[edge.target]) for edge in self.edges if edge.source == id]

    def to_json(self) -> dict[str, Any]:
        """Return `{"root", "nodes": [...], "edges": [...]}`, of JSON's own types."""
        nodes = [asdict(node) | {"changes": [one._asdict() for one in node.changes]} for node in self.nodes.values()]
        return {"root": self.root, "nodes": nodes, "edges": [edge._asdict() for edge in self.edges]}

    def to_dot(self) -> str:
        """Return it in the language of Graphviz: versions are boxes, runs ellipses, what is gone is dashed, what changed red."""
        lines = ["digraph lineage {", "  rankdir=LR;", '  node [fontname="sans-serif", fontsize=11];']
        lines += [
            f"  {_quoted(node.id)} [{_look(node, is_root=node.id == self.root)}];" for node in self.nodes.values()
        ]
        for edge in self.edges:
            label = f" [label={_quoted(edge.use_as)}]" if edge.use_as else " [style=dotted]" * (edge.kind == "link")
            lines.append(f"  {_quoted(edge.source)} -> {_quoted(edge.target)}{label};")
        return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _look(node: Node, *, is_root: bool) -> str:
    label = "\n".join(filter(None, [node.name, node.type, "(deleted)" if node.is_deleted else ""]))
    look = [f"label={_quoted(label)}", "shape=box" if node.kind == "artifact" else "shape=ellipse"]
    look += ["style=dashed"] if node.is_deleted else []
    look += (
        ["color=red", f"tooltip={_quoted('; '.join(f'{one.path}: {one.reason}' for one in node.changes))}"]
        if node.changes
        else []
    )
    return ", ".join([*look, *(["penwidth=2"] if is_root else [])])


def of_version(
    collection: Collection, version: Version, direction: Direction, depth: int | None, check: Check
) -> Lineage:
    """Return the lineage of a version; see `Artifact.lineage`."""
    return _Walk(collection.store, check).go(Key(collection.path.name, version.number), direction, depth)


def of_run(store: Path, ulid: str, direction: Direction, depth: int | None, check: Check) -> Lineage:
    """Return the lineage of a run; see `Run.lineage`."""
    return _Walk(store, check).go(ulid, direction, depth)


class _Step(NamedTuple):
    """An edge before its nodes are made: a run stands as its ulid."""

    source: Key | str
    target: Key | str
    kind: Literal["input", "output", "link"]


class _Walk:
    """Goes from node to node."""

    def __init__(self, store: Path, check: Check) -> None:
        if check not in get_args(Check):
            message = f"check={check!r} is not known; use one of {', '.join(get_args(Check))}."
            raise UsageError(message)
        self._store = Store(store)
        self._check = check
        self.relations = Relations(store)
        self._removed = {one.run.ulid: one.run for one in self._store.removed()}
        self._nodes: dict[Key | str, Node] = {}

    def go(self, start: Key | str, direction: Direction, depth: int | None) -> Lineage:
        """Return all that can be reached from a node, in one direction, in both, or by any way at all."""
        if direction not in get_args(Direction):
            message = f"direction={direction!r} is not known; use one of {', '.join(get_args(Direction))}."
            raise UsageError(message)
        root = self._node(start)
        steps: dict[_Step, None] = {}
        ways = (("upstream", self._sources), ("downstream", self._targets), ("connected", self._neighbours))
        for way, next_of in ways:
            if way == direction or (direction == "both" and way != "connected"):
                steps.update(dict.fromkeys(_reach(start, next_of, depth)))
        edges = [self._edge(step) for step in steps]
        return Lineage(root.id, {node.id: node for node in self._nodes.values()}, edges)

    def _sources(self, at: Key | str) -> Iterator[tuple[Key | str, _Step]]:
        if isinstance(at, Key):
            source = self.relations.source(at)
            if source is not None:
                yield source, _Step(source, at, "link")
            for ulid in self.relations.makers(at):
                yield ulid, _Step(ulid, at, "output")
        else:
            for key in self.relations.used(at):
                yield key, _Step(key, at, "input")

    def _targets(self, at: Key | str) -> Iterator[tuple[Key | str, _Step]]:
        if isinstance(at, Key):
            for ulid in self.relations.users(at):
                yield ulid, _Step(at, ulid, "input")
            for link in self.relations.links(at):
                yield link, _Step(at, link, "link")
        else:
            for key in self.relations.made(at):
                yield key, _Step(at, key, "output")

    def _neighbours(self, at: Key | str) -> Iterator[tuple[Key | str, _Step]]:
        yield from self._sources(at)
        yield from self._targets(at)

    def _edge(self, step: _Step) -> Edge:
        use_as: str | None = None
        if step.kind == "input":
            assert isinstance(step.source, Key)
            assert isinstance(step.target, str)
            use_as = self.relations.use_of(step.source, step.target).get("use_as")
        return Edge(self._node(step.source).id, self._node(step.target).id, step.kind, use_as)

    def _node(self, at: Key | str) -> Node:
        if at not in self._nodes:
            self._nodes[at] = self._version_node(at) if isinstance(at, Key) else self._run_node(at)
        return self._nodes[at]

    def _version_node(self, key: Key) -> Node:
        collection, version = self.relations.collection(key), self.relations.versions[key]
        path = f"{collection.place}:{version.label}"
        return Node(
            id=f"artifact:{path}",
            kind="artifact",
            name=f"{collection.place.name}:{version.label}",
            path=path,
            type=collection.facts()["type"],
            state="committed" if version.deleted is None else "deleted",
            created=version.created,
            changes=tuple(self._changes(key)),
        )

    def _changes(self, key: Key) -> list[Change]:
        version = self.relations.versions[key]
        if self._check == "none" or version.deleted is not None:
            return []
        with contextlib.suppress(StoreError):
            return changes_of(read_manifest(self._store.root, version.manifest), is_remote_too=self._check == "all")
        return []

    def _run_node(self, ulid: str) -> Node:
        directory = self._store.open(ulid)
        found = directory or self._removed.get(ulid)
        state = "deleted"
        if found is None:
            noted = self.relations.facts_of(ulid)
            path = "/".join(str(noted.get(part) or "?") for part in ("entity", "project", "id"))
            name, kind, created = str(noted.get("name") or noted.get("id") or ulid), "", None
        else:
            run = Run(found)
            path, name, kind, created = "/".join(run.path), run.name, run.job_type, run.created
            state = run.state if directory else state
        return Node(id=f"run:{ulid}", kind="run", name=name, path=path, type=kind, state=state, created=created)


def _reach(
    start: Key | str, next_of: Callable[[Key | str], Iterator[tuple[Key | str, _Step]]], depth: int | None
) -> Iterator[_Step]:
    """Go through the edges that can be reached, the nearest first."""
    seen, border, gone = {start}, [start], 0
    while border and (depth is None or gone < depth):
        gone += 1
        further: list[Key | str] = []
        for at in border:
            for neighbour, step in next_of(at):
                yield step
                if neighbour not in seen:
                    seen.add(neighbour)
                    further.append(neighbour)
        border = further
