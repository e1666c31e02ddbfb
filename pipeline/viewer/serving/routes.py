"""Addresses of the viewer and what each answers.

An address names a slide by its id and a model by its number; both are looked up among what
was found in the results folder, and no path is made of them.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from pipeline.pages import DRAWING
from pipeline.viewer.layers.spatial_index import Box
from pipeline.viewer.results.results_folder import ResultsFolder
from pipeline.viewer.serving.opened_slide import OpenedSlide

PAGE = Path(__file__).resolve().parents[1] / "page"
PAGE_FILES: Mapping[str, str] = {
    "index.html": "text/html; charset=utf-8",
    "viewer.css": "text/css; charset=utf-8",
    "viewer.js": "text/javascript; charset=utf-8",
    "drawing.js": "text/javascript; charset=utf-8",
    "layers.js": "text/javascript; charset=utf-8",
    "card.js": "text/javascript; charset=utf-8",
    "openseadragon.min.js": "text/javascript; charset=utf-8",
    "OPENSEADRAGON-LICENSE.txt": "text/plain; charset=utf-8",
}
"""Files of the page and their types; nothing else is sent."""

SLIDES_OPEN = 4
"""Slides kept open, each with its index of nuclei."""

PATCH_PX = 160
"""Side of the picture of a patch."""

DECIMALS = 4
"""Places of numbers that are sent."""


@dataclass(frozen=True)
class Answer:
    """What is sent.

    Attributes
    ----------
    kind
        Media type.
    is_fixed
        Whether it stays the same as long as the server runs.
    """

    content: bytes
    kind: str
    is_fixed: bool = False


class NotFoundError(Exception):
    """Nothing has that address."""


class BadRequestError(Exception):
    """A value of the query is not what it has to be."""


class Routes:
    """Answers of one results folder."""

    def __init__(self, results: ResultsFolder) -> None:
        self._results = results
        self._open: OrderedDict[str, OpenedSlide] = OrderedDict()
        self._lock = Lock()
        number, name = r"(\d{1,9})", r"([A-Za-z0-9][A-Za-z0-9._-]*)"
        self._routes: tuple[tuple[re.Pattern[str], Callable[..., Answer]], ...] = tuple(
            (re.compile(pattern), answer)
            for pattern, answer in (
                (r"", lambda query: self._page(query, "index.html")),
                (rf"page/{name}", self._page),
                (r"slides", self._slides),
                (rf"slides/{name}", self._facts),
                (rf"slides/{name}/tissue/{number}/{number}_{number}\.jpg", self._tissue),
                (rf"slides/{name}/patches/{number}\.jpg", self._patch),
                (rf"slides/{name}/tiles", self._tiles),
                (rf"slides/{name}/nuclei", self._nuclei),
                (rf"slides/{name}/cell_graph", self._cell_graph),
                (rf"slides/{name}/features", self._features),
                (rf"slides/{name}/models/{number}/graph", self._graph),
                (rf"slides/{name}/models/{number}/evidence", self._evidence),
            )
        )

    def answer(self, address: str) -> Answer:
        """Answer to an address below the root of the server, with its query.

        Raises
        ------
        NotFoundError
            If there is no such address, slide, model, tile or patch.
        BadRequestError
            If a value of the query is missing or none.
        AbignetError
            If an artefact cannot be read.
        """
        parts = urlsplit(address)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        for pattern, answer in self._routes:
            match = pattern.fullmatch(parts.path)
            if match is not None:
                return answer(query, *match.groups())
        raise NotFoundError(parts.path)

    def close(self) -> None:
        """Close all slides."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _slide(self, slide_id: str) -> OpenedSlide:
        if slide_id not in self._results.slides:
            raise NotFoundError(slide_id)
        with self._lock:
            if slide_id not in self._open:
                # One that is put aside closes when the last answer that uses it is done.
                while len(self._open) >= SLIDES_OPEN:
                    self._open.popitem(last=False)
                self._open[slide_id] = OpenedSlide(self._results, slide_id)
            self._open.move_to_end(slide_id)
            return self._open[slide_id]

    def _page(self, query: Mapping[str, str], name: str) -> Answer:
        if name not in PAGE_FILES:
            raise NotFoundError(name)
        file = DRAWING if name == DRAWING.name else PAGE / name
        return Answer(file.read_bytes(), PAGE_FILES[name])

    def _slides(self, query: Mapping[str, str]) -> Answer:
        models = self._results.models
        return _json(
            {
                "folder": self._results.outdir.resolve().name,
                "slides": [
                    {
                        "slide": slide_id,
                        "label": next((model.label for model in models.get(slide_id, ())), ""),
                        "n_wrong": sum(m.label not in ("", m.predicted) for m in models.get(slide_id, ())),
                        "n_models": len(models.get(slide_id, ())),
                    }
                    for slide_id in self._results.slides
                ],
            }
        )

    def _facts(self, query: Mapping[str, str], slide_id: str) -> Answer:
        return _json(self._slide(slide_id).facts())

    def _tissue(self, query: Mapping[str, str], slide_id: str, level: str, col: str, row: str) -> Answer:
        zoom = self._slide(slide_id).zoom
        if zoom is None:
            raise NotFoundError(slide_id)
        try:
            return Answer(zoom.tile(int(level), int(col), int(row)), "image/jpeg", is_fixed=True)
        except IndexError as error:
            raise NotFoundError(str(error)) from error

    def _patch(self, query: Mapping[str, str], slide_id: str, node: str) -> Answer:
        slide = self._slide(slide_id)
        patches = slide.patches
        if slide.zoom is None or patches is None or int(node) >= len(patches.corners) or not patches.side:
            raise NotFoundError(node)
        x, y = patches.corners[int(node)].tolist()
        return Answer(slide.zoom.patch(x, y, patches.side, PATCH_PX), "image/jpeg", is_fixed=True)

    def _tiles(self, query: Mapping[str, str], slide_id: str) -> Answer:
        return _json(self._slide(slide_id).tiles())

    def _nuclei(self, query: Mapping[str, str], slide_id: str) -> Answer:
        px = int(_number(query, "px"))
        if px < 1:
            raise BadRequestError(f"px: expected a positive number, found {px}")
        return _json(self._slide(slide_id).nuclei_in(_box(query), px))

    def _cell_graph(self, query: Mapping[str, str], slide_id: str) -> Answer:
        return _json(self._slide(slide_id).cell_graph_in(_box(query)))

    def _features(self, query: Mapping[str, str], slide_id: str) -> Answer:
        patches = self._slide(slide_id).patches
        try:
            nodes = [int(node) for node in query.get("nodes", "").split(",")]
        except ValueError as error:
            raise BadRequestError(f"nodes: expected one or two numbers with a comma; {error}") from error
        if patches is None or len(nodes) > 2 or not all(0 <= node < len(patches.corners) for node in nodes):
            raise NotFoundError("no such patches")
        return _json(patches.stand_out(nodes))

    def _graph(self, query: Mapping[str, str], slide_id: str, model: str) -> Answer:
        graph = self._model_of(slide_id, model).graph(int(model))
        if graph is None:
            return _json(None)
        if "box" not in query:
            weight = graph.weight
            return _json({"weight": weight, "strength": graph.strength()})
        return _json(graph.in_box(_box(query), max(int(_number(query, "heaviest")), 0)))

    def _evidence(self, query: Mapping[str, str], slide_id: str, model: str) -> Answer:
        return _json(self._model_of(slide_id, model).evidence(int(model)))

    def _model_of(self, slide_id: str, model: str) -> OpenedSlide:
        slide = self._slide(slide_id)
        if int(model) >= len(slide.models):
            raise NotFoundError(model)
        return slide


def _number(query: Mapping[str, str], name: str) -> float:
    try:
        value = float(query[name])
    except (KeyError, ValueError) as error:
        raise BadRequestError(f"{name}: expected a number") from error
    if not np.isfinite(value):
        raise BadRequestError(f"{name}: expected a number, found {value}")
    return value


def _box(query: Mapping[str, str]) -> Box:
    """``box=x0,y0,x1,y1``, level-0 pixels."""
    parts = query.get("box", "").split(",")
    if len(parts) != 4:
        raise BadRequestError("box: expected x0,y0,x1,y1 in level-0 pixels")
    x0, y0, x1, y1 = (_number({"box": part}, "box") for part in parts)
    if not (x0 < x1 and y0 < y1):
        raise BadRequestError("box: expected x0 < x1 and y0 < y1")
    return x0, y0, x1, y1


def _json(content: Any) -> Answer:
    return Answer(json.dumps(_plain(content), separators=(",", ":"), allow_nan=False).encode(), "application/json")


def _plain(value: Any) -> Any:
    """Ready for JSON: numbers to ``DECIMALS`` places, undefined ones null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, (float, np.floating)):
        return None if not np.isfinite(value) else round(float(value), DECIMALS)
    return value.item() if isinstance(value, np.generic) else value


def _plain_array(values: "np.ndarray[Any, Any]") -> Any:
    if values.dtype.kind != "f":
        return values.tolist()
    rounded = np.round(values.astype(np.float64), DECIMALS)
    if np.isfinite(rounded).all():
        return rounded.tolist()
    nulled = rounded.astype(object)
    nulled[~np.isfinite(rounded)] = None
    return nulled.tolist()
