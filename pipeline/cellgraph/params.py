"""Parameters of the two stages of this room: ``cell_graphs`` and ``features``."""

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pipeline.bounds import check_choice, check_number
from pipeline.errors import ConfigError

GraphKind = Literal["orientation", "paper", "radius", "knn", "delaunay"]
GraphExtent = Literal["tile", "slide"]
AxislessRule = Literal["join_by_distance", "leave_unjoined"]
FeatureBlock = Literal["paper", "orientation", "core", "core_published", "histomicstk", "morphology"]
OrientationNeighbours = Literal["radius", "graph"]

EMBEDDING = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)?")


@dataclass(frozen=True)
class CellGraphParams:
    """How nuclei of one tile are joined to a graph; section ``cell_graphs``.

    Attributes
    ----------
    kind
        Which pairs of nuclei are joined.  ``orientation``: no farther apart than ``radius_um`` and axes no more
        than ``max_delta_orientation_deg`` apart.  ``paper``: no farther apart than ``paper_radius_px`` and cosine
        similarity of the twelve raw measures at least ``paper_min_cosine`` (the rule of ABiG-Net's code, Paul et
        al. 2025).  ``radius``: no farther apart than ``radius_um``.  ``knn``: one among the ``n_nearest`` nearest of
        the other, of equally near ones those of smaller x, then y.  ``delaunay``: joined by a side of the Delaunay
        triangulation.  The last two are cut at ``radius_um``.
    extent
        ``tile``: one graph a tile, no edge leaves it.  ``slide``: one graph of the nuclei of all kept tiles, whose
        edges cross the borders of tiles; features of a patch are then those of the part of it that lies in the tile.
    radius_um
        Largest distance of two joined centroids in um, (0, 1000]; for all kinds but ``paper``.  32 um are the paper's
        64 px at 0.5 um/px.
    n_nearest
        Number of nearest nuclei, [1, 100]; for ``knn``.  5 as in HACT-Net (Pati et al. 2022).
    max_delta_orientation_deg
        Largest axial angle between the axes of two joined nuclei in degrees, [0, 90]; for ``orientation``.  By
        chance two axes differ by at most 30 degrees in one pair of three.  Ours.
    min_eccentricity
        Eccentricity of the fitted ellipse below which a nucleus counts as having no axis, [0, 1).  0.6 is a minor
        axis of 0.8 times the major one.  Ours.
    axisless_nuclei
        What ``orientation`` does with a pair of which at least one nucleus has no axis: ``join_by_distance`` asks
        for the distance alone (a round nucleus can disagree with none), ``leave_unjoined`` never joins it.
    paper_radius_px
        Largest distance in pixels at the working resolution, (0, 10000]; for ``paper``, which has 64.
    paper_min_cosine
        Smallest cosine similarity, [-1, 1]; for ``paper``, which has 0.70.
    """

    kind: GraphKind = "orientation"
    extent: GraphExtent = "tile"
    radius_um: float = 32.0
    n_nearest: int = 5
    max_delta_orientation_deg: float = 30.0
    min_eccentricity: float = 0.6
    axisless_nuclei: AxislessRule = "join_by_distance"
    paper_radius_px: float = 64.0
    paper_min_cosine: float = 0.70

    def __post_init__(self) -> None:
        check_choice("cell_graphs.kind", self.kind, get_args(GraphKind))
        check_choice("cell_graphs.extent", self.extent, get_args(GraphExtent))
        check_choice("cell_graphs.axisless_nuclei", self.axisless_nuclei, get_args(AxislessRule))
        check_number("cell_graphs.radius_um", self.radius_um, 0, 1000, open_low=True)
        check_number("cell_graphs.n_nearest", self.n_nearest, 1, 100, whole=True)
        check_number("cell_graphs.max_delta_orientation_deg", self.max_delta_orientation_deg, 0, 90)
        check_number("cell_graphs.min_eccentricity", self.min_eccentricity, 0, 1, open_high=True)
        check_number("cell_graphs.paper_radius_px", self.paper_radius_px, 0, 10_000, open_low=True)
        check_number("cell_graphs.paper_min_cosine", self.paper_min_cosine, -1, 1)


@dataclass(frozen=True)
class FeatureParams:
    """Which tiles get features and which features they get; section ``features``.

    Attributes
    ----------
    min_nuclei
        Fewest nuclei of a tile that is kept, [1, 100000].  65 is the paper's "more than 64"; small regions or tiles
        need less.
    blocks
        Feature blocks, a non-empty list without repeats, written in this order whatever the order given: ``paper``
        (51 spatial and 18 graph features), ``orientation`` (31), ``core`` (39 of Cell Orientation Entropy over local
        graphs), ``core_published`` (39 in the published form, which is *not* rotation-invariant), ``histomicstk`` (56,
        another package's set), ``morphology`` (five statistics of each measure of the nuclei).
    neighbour_radii_px
        The five radii of spatial features 37-51 and of ``histomicstk``, increasing, in pixels at the working
        resolution, (0, 10000].  The paper has 10 to 50 px.
    orientation_neighbours
        Whose axes the blocks ``orientation``, ``core`` and ``core_published`` compare: ``radius`` (all nuclei within
        ``orientation_radius_um``) or ``graph`` (those joined in the cell graph; a graph built by agreement of axes then
        shows little but its own rule).
    orientation_radius_um
        Radius of ``radius`` in um, (0, 1000].  32 um are the paper's 64 px at 0.5 um/px.
    embedding
        What becomes of the ``features`` of a row of the sheet that also has a ``path``.  Empty: they take the place of
        computed ones.  A name of letters, digits, ``.``, ``_`` and ``-``: they go beside computed ones as
        ``embeddings/{name}``, matched by coordinates.
    """

    min_nuclei: int = 65
    blocks: tuple[FeatureBlock, ...] = ("paper", "orientation")
    neighbour_radii_px: tuple[float, ...] = (10.0, 20.0, 30.0, 40.0, 50.0)
    orientation_neighbours: OrientationNeighbours = "radius"
    orientation_radius_um: float = 32.0
    embedding: str = ""

    def __post_init__(self) -> None:
        check_number("features.min_nuclei", self.min_nuclei, 1, 100_000, whole=True)
        object.__setattr__(self, "blocks", _blocks(self.blocks))
        object.__setattr__(self, "neighbour_radii_px", _radii(self.neighbour_radii_px))
        check_choice("features.orientation_neighbours", self.orientation_neighbours, get_args(OrientationNeighbours))
        check_number("features.orientation_radius_um", self.orientation_radius_um, 0, 1000, open_low=True)
        if not isinstance(self.embedding, str) or not EMBEDDING.fullmatch(self.embedding):
            raise ConfigError(
                f"features.embedding: expected letters, digits, '.', '_' and '-', or nothing, found {self.embedding!r}."
            )


def _blocks(found: Any) -> tuple[str, ...]:
    allowed: tuple[str, ...] = get_args(FeatureBlock)
    names = tuple(found) if isinstance(found, list | tuple) else ()
    if not names or len(set(names)) != len(names) or not set(names) <= set(allowed):
        raise ConfigError(
            f"features.blocks: expected a non-empty list of {', '.join(allowed)} without repeats, found {found!r}."
        )
    return tuple(name for name in allowed if name in names)


def _radii(found: Any) -> tuple[float, ...]:
    radii = tuple(found) if isinstance(found, list | tuple) else ()
    plain = all(isinstance(r, int | float) and not isinstance(r, bool) and 0 < r <= 10000 for r in radii)
    if len(radii) != 5 or not plain or list(radii) != sorted(set(radii)):
        raise ConfigError(
            f"features.neighbour_radii_px: expected five increasing numbers in (0, 10000], found {found!r}."
        )
    return tuple(float(r) for r in radii)
