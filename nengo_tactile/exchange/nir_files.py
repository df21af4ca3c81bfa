"""NIR files as plain data: nodes with their numbers, and edges between them.

NIR (neuromorphs/NIR) is HDF5 with a group ``node`` of nested groups. It is read through the
package's own door, which follows no links out of the file, and not by the ``nir`` package, which
follows all; the tests compare both.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nengo_tactile import files
from nengo_tactile.doors import hdf5
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ModelFileError

#: Of the format that files are written in: all readers know it.
VERSION = "1.0.4"
DOOR = Door(ModelFileError, "write the graph again")
#: Graphs in graphs at most.
_DEEPEST = 16
#: Name of our own metadata: a JSON text.
_OURS = "nengo_tactile"
_GRAPH = "NIRGraph"


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """A node of a graph.

    Attributes
    ----------
    kind : str
        NIR's name of it: "Affine", "LIF".
    values : dict of str to array or str
        What the file has of it.
    """

    kind: str
    values: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class NirGraph:
    """A graph without graphs in it.

    Attributes
    ----------
    nodes : dict of str to Node
    edges : sequence of (str, str)
        What goes into a node over several edges is added up.
    metadata : dict
        What nengo_tactile wrote beside it.
    """

    nodes: dict[str, Node]
    edges: Sequence[tuple[str, str]]
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)

    def sources(self, name: str) -> list[str]:
        """Nodes that lead into one, in the order of the edges."""
        return [source for source, target in self.edges if target == name]

    def readers(self, name: str) -> list[str]:
        """Nodes that one leads into."""
        return [target for source, target in self.edges if source == name]


def read(path: str | Path) -> NirGraph:
    """Read a NIR file.

    Parameters
    ----------
    path : path

    Returns
    -------
    NirGraph

    Raises
    ------
    ModelFileError
        If it is none, is damaged, or leads to other files.
    """
    with hdf5.opened(path, DOOR) as file:
        root = file.group("node")
        if root is None or not root.holds("type") or root.text("type") != _GRAPH:
            raise DOOR.refusal(path, "holds no graph of NIR under 'node'")
        nodes: dict[str, Node] = {}
        edges: list[tuple[str, str]] = []
        _add(root, "", nodes, edges, 0)
        metadata = root.group("metadata")
        told = {}
        if metadata is not None and metadata.holds(_OURS):
            told = DOOR.parsed(metadata.text(_OURS), f"{path}: metadata")
            if not isinstance(told, dict):
                raise DOOR.refusal(path, f"metadata {_OURS!r} hold a {type(told).__name__}")
    for edge in edges:
        for name in edge:
            if name not in nodes:
                raise DOOR.refusal(path, f"an edge names {name!r}, which is no node")
    return NirGraph(nodes, edges, told)


def _add(group, prefix, nodes, edges, depth):
    """Add what a graph holds; a graph in it becomes its nodes, joined at its input and output."""
    if depth > _DEEPEST:
        raise ValueError(f"graphs in graphs are {depth} deep, at most {_DEEPEST} are read")
    inside = group.group("nodes")
    inner = {}
    for name in inside.names() if inside is not None else ():
        part = inside.group(name)
        if part is None:
            raise ValueError(f"node {name!r} holds no values of its own")
        kind = part.text("type")
        if kind == _GRAPH:
            inner[name] = _add(part, f"{prefix}{name}.", nodes, edges, depth + 1)
        else:
            nodes[prefix + name] = Node(kind, _values(part))
    pairs = group.texts("edges", 2) if group.holds("edges") else []
    for source, target in zip(pairs[::2], pairs[1::2]):
        source = inner[source][1] if source in inner else prefix + source
        target = inner[target][0] if target in inner else prefix + target
        if (source, target) not in edges:
            edges.append((source, target))
    if not prefix:
        return None
    ends, own = [], [prefix + name for name in inside.names() if name not in inner]
    for kind in ("Input", "Output"):
        found = [name for name in own if nodes[name].kind == kind]
        if len(found) != 1:
            raise ValueError(f"graph {prefix[:-1]!r} has {len(found)} nodes {kind}: give it one")
        nodes[found[0]] = dataclasses.replace(nodes[found[0]], kind="Identity")
        ends.append(found[0])
    return ends


def _values(group):
    """What a node has, by name; what holds nothing is left out."""
    return {
        name: group.text(name) if group.is_text(name) else group.numbers(name)
        for name in group.names()
        if name != "type" and group.holds(name)
    }


def write(graph: NirGraph, path: str | Path) -> None:
    """Write a NIR file, whole or not at all.

    Parameters
    ----------
    graph : NirGraph
    path : path
    """

    def content(file):
        texts = hdf5.TEXT
        file.create_dataset("version", data=VERSION, dtype=texts)
        root = file.create_group("node")
        root.create_dataset("type", data=_GRAPH, dtype=texts)
        root.create_dataset("edges", data=np.array(list(graph.edges), object), dtype=texts)
        for name, node in graph.nodes.items():
            place = root.create_group(f"nodes/{name}")
            for key, value in {"type": node.kind, **node.values}.items():
                if isinstance(value, str):
                    place.create_dataset(key, data=value, dtype=texts)
                else:
                    value = np.asarray(value)
                    packed = {"compression": "gzip"} if value.ndim else {}
                    place.create_dataset(key, data=value, **packed)
        if graph.metadata:
            text = json.dumps(files.whole_texts(graph.metadata), default=files.plain)
            root.create_dataset(f"metadata/{_OURS}", data=text, dtype=texts)

    with files.atomic_write(path, "wb") as file:
        file.write(hdf5.content_of(content))


def shape_of(node: Node, key: str = "shape") -> tuple[int, ...]:
    """A shape that a node tells, as whole numbers.

    Raises
    ------
    ModelFileError
    """
    sizes = np.ravel(node.values[key])
    if not len(sizes) or (sizes != np.rint(sizes)).any() or (sizes < 1).any():
        raise ModelFileError(f"{node.kind}: its {key} is {sizes}: give whole numbers from 1")
    if math.prod(int(size) for size in sizes) >= 1 << 27:
        raise ModelFileError(f"{node.kind}: its {key} is {sizes}: give less than 2**27 values")
    return tuple(int(size) for size in sizes)


__all__ = ["NirGraph", "Node", "read", "shape_of", "write"]
