"""One slide with its layers, each read when it is first asked for."""

from functools import cached_property
from threading import RLock
from typing import Any

from pipeline.artefacts.tables import read_table_header
from pipeline.artefacts.tiles import KIND as TILES
from pipeline.errors import MissingMppError, SlideError
from pipeline.slides.mpp_ranges import ANY_MPP
from pipeline.slides.reader import open_slide
from pipeline.viewer.layers.cell_graph_layer import CellGraphLayer
from pipeline.viewer.layers.model_layers import GraphLayer, evidence_of
from pipeline.viewer.layers.nuclei_layer import NucleiLayer
from pipeline.viewer.layers.patch_layer import PatchLayer, tiles_of
from pipeline.viewer.layers.spatial_index import Box
from pipeline.viewer.results.results_folder import Model, ResultsFolder
from pipeline.viewer.tissue.deep_zoom import TILE_PX, DeepZoom

MODELS_KEPT = 6
"""Models whose graph and evidence are held in memory."""


class OpenedSlide:
    """A slide and what is known of it.

    Attributes
    ----------
    fault
        Why there is no picture, else "".
    models
        Models that predicted it.
    """

    def __init__(self, results: ResultsFolder, slide_id: str) -> None:
        self._results, self.slide_id = results, slide_id
        self._tiles = results.artefact(slide_id, "tiles", ".parquet")
        self._header = {} if self._tiles is None else read_table_header(self._tiles, TILES)
        self.models: list[Model] = results.models.get(slide_id, [])
        # One at a time reads an artefact; pixels are read by many.
        self._lock = RLock()
        self._of_model: dict[int, tuple[GraphLayer | None, dict[str, Any] | None]] = {}
        self.fault = ""
        self.zoom = self._opened_zoom()

    def _opened_zoom(self) -> DeepZoom | None:
        path = self._results.picture(self.slide_id)
        if path is None:
            self.fault = "the slide does not lie where the workflow read it; name its sheet (--sheet)"
            return None
        try:
            slide = open_slide(path, slide_id=self.slide_id, mpp=self._header.get("slide_mpp"), mpp_range=ANY_MPP)
        except (SlideError, MissingMppError) as error:
            self.fault = str(error)
            return None
        return DeepZoom(slide)

    @cached_property
    def nuclei(self) -> NucleiLayer | None:
        """Its nuclei."""
        path = self._results.artefact(self.slide_id, "nuclei", ".parquet")
        return None if path is None else NucleiLayer(path)

    @cached_property
    def cell_graph(self) -> CellGraphLayer | None:
        """Edges between them."""
        path = self._results.artefact(self.slide_id, "cell_graphs", ".zarr")
        return None if path is None or self.nuclei is None else CellGraphLayer(path, self.nuclei)

    @cached_property
    def patches(self) -> PatchLayer | None:
        """Nodes of its learned graphs."""
        path = self._results.artefact(self.slide_id, "features", ".zarr")
        return None if path is None else PatchLayer(path)

    @property
    def mpp(self) -> float | None:
        """Um per level-0 pixel."""
        mpp = self._header.get("slide_mpp")
        return float(mpp) if mpp else None if self.zoom is None else self.zoom.slide.mpp

    def _size(self) -> tuple[float, float]:
        """Of level 0; of its patches where neither slide nor tiles tell."""
        if self.zoom is not None:
            return self.zoom.slide.width_l0, self.zoom.slide.height_l0
        if self._header.get("width_l0"):
            return self._header["width_l0"], self._header["height_l0"]
        if self.patches is None or not len(self.patches.corners):
            return 1.0, 1.0
        width, height = self.patches.corners.max(axis=0) + max(self.patches.side, 1.0)
        return float(width), float(height)

    def facts(self) -> dict[str, Any]:
        """The slide in words and numbers, and which layers there are."""
        with self._lock:
            width, height = self._size()
            patches = self.patches
            there = {
                "tiles": self._tiles is not None,
                "nuclei": self.nuclei is not None and self.mpp is not None,
                "cell_graph": self._results.artefact(self.slide_id, "cell_graphs", ".zarr") is not None,
            }
            return {
                "slide": self.slide_id,
                "width": width,
                "height": height,
                "bounds": self._header.get("bounds_l0") or [0, 0, width, height],
                "mpp": self.mpp,
                "levels": None if self.zoom is None else self.zoom.n_levels,
                "tile_px": TILE_PX,
                "fault": self.fault,
                "reason": self._header.get("reason"),
                "layers": there,
                "types": {} if self.nuclei is None else self.nuclei.types,
                "n_nuclei": 0 if self.nuclei is None else len(self.nuclei.frame),
                "patches": None if patches is None else {"corners": patches.corners, "side": patches.side},
                "models": [model.plain() for model in self.models],
            }

    def tiles(self) -> dict[str, Any] | None:
        """See ``patch_layer.tiles_of``."""
        return None if self._tiles is None else tiles_of(self._tiles)

    def nuclei_in(self, box_l0: Box, px: int) -> dict[str, Any] | None:
        """See ``NucleiLayer.in_box``; the picture of the box is ``px`` wide."""
        with self._lock:
            if self.nuclei is None or self.mpp is None:
                return None
            um = self.mpp
            return self.nuclei.in_box(_um(box_l0, um), (box_l0[2] - box_l0[0]) * um / px)

    def cell_graph_in(self, box_l0: Box) -> dict[str, Any] | None:
        """See ``CellGraphLayer.in_box``."""
        with self._lock:
            return (
                None if self.cell_graph is None or self.mpp is None else self.cell_graph.in_box(_um(box_l0, self.mpp))
            )

    def graph(self, model: int) -> GraphLayer | None:
        """Learned graph by a model; None where none is stored."""
        return self._model(model)[0]

    def evidence(self, model: int) -> dict[str, Any] | None:
        """See ``model_layers.evidence_of``."""
        return self._model(model)[1]

    def _model(self, place: int) -> tuple[GraphLayer | None, dict[str, Any] | None]:
        with self._lock:
            if place not in self._of_model:
                model = self.models[place]
                has_graph = self.patches is not None and model.graphs.is_dir()
                graph = (
                    GraphLayer(model, self.slide_id, self.patches) if has_graph and self.patches is not None else None
                )
                while len(self._of_model) >= MODELS_KEPT:
                    self._of_model.pop(next(iter(self._of_model)))
                self._of_model[place] = (graph, evidence_of(model, self.slide_id, graph))
            return self._of_model[place]

    def close(self) -> None:
        """Release the slide's file."""
        if self.zoom is not None:
            self.zoom.slide.close()


def _um(box_l0: Box, mpp: float) -> Box:
    x0, y0, x1, y1 = (side * mpp for side in box_l0)
    return x0, y0, x1, y1
