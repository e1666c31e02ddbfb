"""``.pt`` files of graphs: PyTorch Geometric's dictionaries, tensors and plain values only.

``torch.load(path)`` reads such a file with nothing allowed beyond its default, and
``Data.from_dict`` or ``HeteroData.from_dict`` makes the graph of it.
"""

from pathlib import Path
from typing import Any

from torch_geometric.data import Data, HeteroData

from pipeline.artefacts.torch_file import read_torch, write_torch
from pipeline.errors import ArtefactError

HETERO_KEY = "_global_store"
"""Key that ``HeteroData.to_dict`` always has and ``Data.to_dict`` never."""

LIST_KEY = "graphs"
"""Key of a file that holds several graphs."""


def write_graph(path: str | Path, graph: Data | HeteroData | list[Data]) -> None:
    """Write one graph, or a list of them, atomically; the same graph gives the same bytes.

    Raises
    ------
    OutputError
        If the place cannot be written to.
    """
    if isinstance(graph, list):
        write_torch(path, {LIST_KEY: [one.to_dict() for one in graph]})
    else:
        write_torch(path, graph.to_dict())


def read_graph(path: str | Path) -> Data | HeteroData | list[Data]:
    """What ``write_graph`` has written.

    Raises
    ------
    ArtefactError
        If the file is missing, damaged or holds no graph.
    """
    content = _load(path)
    if LIST_KEY in content:
        return [Data.from_dict(one) for one in content[LIST_KEY]]
    return HeteroData.from_dict(content) if HETERO_KEY in content else Data.from_dict(content)


def _load(path: str | Path) -> dict[str, Any]:
    content = read_torch(path, "a graph of `abignet export-pyg`", "Export it again.")
    if not isinstance(content, dict) or not content.keys() & {HETERO_KEY, LIST_KEY, "edge_index"}:
        raise ArtefactError(f"{path}: expected a graph of `abignet export-pyg`, found something else.")
    return content
