"""What is wrong with one file of a results folder: whether it is whole, and made of the files that are there."""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.artefacts.cell_graphs import read_cell_graphs
from pipeline.artefacts.evidence import EvidenceStore
from pipeline.artefacts.faithfulness import read_faithfulness
from pipeline.artefacts.features import check_store_slide, read_features
from pipeline.artefacts.graph_path import read_graph_path
from pipeline.artefacts.header import check_slide
from pipeline.artefacts.interpretation import read_interpretation
from pipeline.artefacts.json_files import PROVENANCE, read_json
from pipeline.artefacts.learned_graphs import LearnedGraphs
from pipeline.artefacts.metrics import read_comparison, read_metrics
from pipeline.artefacts.nuclei import iterate_nuclei, read_nuclei_header
from pipeline.artefacts.png_files import read_png
from pipeline.artefacts.pooled_predictions import read_pooled_predictions
from pipeline.artefacts.predictions import read_history, read_predictions
from pipeline.artefacts.splits import read_excluded, read_splits
from pipeline.artefacts.tiles import read_tiles
from pipeline.commands.results_layout import REQUIRED, Product, product
from pipeline.errors import AbignetError
from pipeline.provenance import file_digest

Provenance = Mapping[str, Any]

BLOCK_BYTES = 1 << 20

UPSTREAM: Mapping[str, str] = {
    "tiles": "tiles/{slide}.parquet",
    "nuclei": "nuclei/{slide}.parquet",
    "cell_graphs": "cell_graphs/{slide}.zarr",
    "splits": "training/{run}/splits.csv",
    "model": "training/{run}/{method}/final/model.pt",
    "fold_model": "training/{run}/{method}/seed_{seed}/fold_{fold}/model.pt",
    "fold_graphs": "training/{run}/{method}/seed_{seed}/fold_{fold}/graphs.zarr",
}
"""Where the input of a role lies below the results folder; ``features/{slide}`` and ``fold_{k}`` name their own."""


class ResultsChecks:
    """Checks of the files of one results folder.

    Parameters
    ----------
    root
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests: dict[Path, str] = {}

    def fault(self, one: Product) -> str | None:
        """Why a file cannot be gone on with; None where it can."""
        try:
            provenance = read_whole(one)
        except AbignetError as error:
            return f"damaged: {str(error).removeprefix(f'{one.path}: ').partition('. Make it again')[0]}"
        except Exception as error:  # the readers of pictures and texts fail in any way
            return f"damaged: {type(error).__name__}: {error}".partition("\n")[0]
        return self._stale(one, provenance)

    def missing(self, products: Iterable[Product]) -> Iterator[Product]:
        """Outputs that are not there of jobs whose other outputs are."""
        jobs = {(one.rule, tuple(sorted(one.wildcards.items()))): one for one in products if one.rule in REQUIRED}
        for one in jobs.values():
            for pattern in REQUIRED[one.rule or ""]:
                path = self._root / pattern.format(**one.wildcards)
                if not path.exists():
                    yield product(self._root, path)

    def learned_slides(self, products: Iterable[Product]) -> dict[str, frozenset[str]]:
        """Slides that each run learns from, by run; a run whose provenance is not whole has no entry."""
        learned = {}
        for one in products:
            if one.rule == "split_cohort" and one.path.name == "provenance.json" and self.fault(one) is None:
                roles = read_json(one.path, "provenance")["upstream"]
                learned[one.wildcards["run"]] = frozenset(role.removeprefix("features/") for role in roles)
        return learned

    def _stale(self, one: Product, provenance: Provenance) -> str | None:
        upstream = provenance.get("upstream")
        for role, digest in upstream.items() if isinstance(upstream, Mapping) else ():
            path = self._input(one, str(role), provenance)
            if path is None:
                continue
            name = path.relative_to(self._root).as_posix()
            if not path.exists():
                return f"stale: it was made from {name}, which is not there"
            if self._digest(path) != digest:
                return f"stale: it was made from another {name} than the one that is there"
        return None

    def _input(self, one: Product, role: str, provenance: Provenance) -> Path | None:
        """Where the input of a role lies; None of an input outside the folder, and where the layout is another."""
        if one.rule == "evaluate" and re.fullmatch(r"(seed_\d+/)?fold_\d+", role):
            return one.path.parent / role / "predictions.csv"
        if one.rule == "split_cohort" and role.startswith("features/"):
            return self._root / f"{role}.zarr"
        method = provenance.get("params", {}).get("method")
        wildcards = {"method": method["name"] if isinstance(method, Mapping) else None, **one.wildcards}
        if one.rule is None or role not in UPSTREAM:
            return None
        return self._root / UPSTREAM[role].format(**wildcards)

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = file_digest(path)
        return self._digests[path]


def read_whole(one: Product) -> Provenance:
    """Read a file as the stages do, to its end; return its provenance, empty where it has none of its own.

    Raises
    ------
    AbignetError
        If it is damaged or contradicts itself.
    Exception
        Whatever the reader of a picture or a text raises.
    """
    for pattern, read in READERS.items():
        if re.fullmatch(pattern, one.name):
            return read(one)
    return {}


def _tiles(one: Product) -> Provenance:
    header = read_tiles(one.path).header
    check_slide(header, _slide(one, ".tiles.parquet"), "tiles", one.path)
    return _provenance_of(header)


def _nuclei(one: Product) -> Provenance:
    header = read_nuclei_header(one.path)
    check_slide(header, _slide(one, ".nuclei.parquet"), "nuclei", one.path)
    for _ in iterate_nuclei(one.path):
        pass
    return _provenance_of(header)


def _cell_graphs(one: Product) -> Provenance:
    _, header = read_cell_graphs(one.path)
    check_slide(header, _slide(one, ".cell_graphs.zarr"), "cell_graphs", one.path)
    return _provenance_of(header)


def _features(one: Product) -> Provenance:
    store = read_features(one.path)
    check_store_slide(store.slide_id, _slide(one, ".zarr"), one.path)
    return {"upstream": store.upstream}


def _learned_graphs(one: Product) -> Provenance:
    graphs = LearnedGraphs(one.path)
    for slide_id in graphs.slide_ids:
        graphs.of(slide_id)
    return {}


def _evidence(one: Product) -> Provenance:
    store = EvidenceStore(one.path)
    for slide_id in store.slide_ids:
        store.of(slide_id)
    return store.provenance


def _interpretation(one: Product) -> Provenance:
    read_interpretation(one.path)
    return read_json(one.path / PROVENANCE, "provenance")


def _exported_run(folder: Path) -> None:
    for path in sorted(folder.glob("*.geojson")):
        _outlines(path)


def _outlines(path: Path) -> None:
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict) or not isinstance(content.get("features"), list):
        raise ValueError(f"{path.name}: expected a FeatureCollection")


def _model(one: Product) -> Provenance:
    from pipeline.training.fitting.checkpoint import NoModelError, read_model_on_cpu

    # A fold without test image has no model and says why.
    with suppress(NoModelError):
        read_model_on_cpu(one.path)
    return {}


def _provenance(one: Product) -> Provenance:
    return read_json(one.path, "provenance")


def _metrics(one: Product) -> Provenance:
    return _provenance_of(read_metrics(one.path))


def _table(read: Callable[[Path], Any]) -> Callable[[Product], Provenance]:
    def reader(one: Product) -> Provenance:
        read(one.path)
        return {}

    return reader


def _gzip(path: Path) -> None:
    with gzip.open(path) as stream:
        while stream.read(BLOCK_BYTES):
            pass


def _page(path: Path) -> None:
    if not path.read_bytes().rstrip().endswith(b"</html>"):
        raise ValueError("the page ends early")


READERS: Mapping[str, Callable[[Product], Provenance]] = {
    r"(.*/)?model\.pt": _model,
    r"(.*[/.])?graphs\.zarr": _learned_graphs,
    r"(.*/)?evidence\.zarr": _evidence,
    r"(.*/)?faithfulness\.json": _table(read_faithfulness),
    r"(.*/)?interpretation": _interpretation,
    r"geojson/[^/.]+": _table(_exported_run),
    r"predictions/[^/]+\.excluded\.csv|(.*/)?excluded\.csv": _table(read_excluded),
    r"predictions/[^/]+\.csv|(.*/)?fold_\d+/predictions\.csv": _table(read_predictions),
    r"(.*/)?predictions\.csv": _table(read_pooled_predictions),
    r"(.*/)?history\.csv": _table(read_history),
    r"(.*/)?splits\.csv": _table(read_splits),
    r"(.*/)?comparison\.csv": _table(read_comparison),
    r"(.*/)?metrics\.json": _metrics,
    r"(.*/)?graph_path\.json": _table(read_graph_path),
    r"(.*[/.])?provenance\.json": _provenance,
    r"nuclei/[^/]+\.parquet|(.*/)?[^/]+\.nuclei\.parquet": _nuclei,
    r"tiles/[^/]+\.parquet|(.*/)?[^/]+\.tiles\.parquet": _tiles,
    r"cell_graphs/[^/]+\.zarr|(.*/)?[^/]+\.cell_graphs\.zarr": _cell_graphs,
    r".*\.zarr": _features,
    r".*\.png": _table(lambda path: read_png(path, "tiles")),
    r".*\.geojson\.gz": _table(_gzip),
    r".*\.geojson": _table(_outlines),
    r".*\.html": _table(_page),
}
"""How the files of a name are read; the first that fits counts, and others are not read."""


def _slide(one: Product, suffix: str) -> str:
    return one.wildcards.get("slide") or one.path.name.removesuffix(suffix)


def _provenance_of(header: Mapping[str, Any]) -> Provenance:
    provenance = header.get("provenance")
    return provenance if isinstance(provenance, Mapping) else {}
