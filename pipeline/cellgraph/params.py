"""Parameters of the two stages of this room: ``cell_graphs`` and ``features``."""

from dataclasses import dataclass
from typing import Literal, get_args

from pipeline.tunables import Choice, Listing, Number, Text, Tunables, choice, listing, number, text, tunable, whole

GraphKind = Literal["orientation", "paper", "radius", "knn", "delaunay"]
GraphExtent = Literal["tile", "slide"]
AxislessRule = Literal["join_by_distance", "leave_unjoined"]
FeatureBlock = Literal["paper", "orientation", "core", "core_published", "histomicstk", "morphology", "cell_types"]
OrientationNeighbours = Literal["radius", "graph"]

PANNUKE_TYPES = ("Neoplastic", "Inflammatory", "Connective", "Dead", "Epithelial")

EMBEDDING_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""Pattern of a name that can stand in a feature cache."""

EMBEDDING = Text("letters, digits, '.', '_' and '-', or nothing", rf"({EMBEDDING_NAME})?")


@dataclass(frozen=True)
class CellGraphParams(Tunables, section="cell_graphs"):
    """How nuclei are joined to a graph.

    ``paper`` is the rule of ABiG-Net's code (Paul et al. 2025), the others but ``orientation`` are textbook ones.
    ``knn`` joins a nucleus to one among the ``n_nearest`` nearest of the other, of equally near ones those of smaller
    x, then y; ``delaunay`` joins ends of the sides of the Delaunay triangulation.  Both are cut at ``radius_um``.
    """

    kind: GraphKind = choice(
        "orientation",
        GraphKind,
        "which nuclei are joined: orientation: near and of like axis; paper: near and cosine of 12 measures; radius: "
        "near; knn: nearest; delaunay: neighbours in the triangulation",
    )
    extent: GraphExtent = choice(
        "tile",
        GraphExtent,
        "tile: one graph a tile; slide: one graph of all kept tiles, whose edges cross their borders; features of a "
        "patch are then those of the part of it that lies in the tile",
    )
    radius_um: float = number(
        32.0,
        0,
        1000,
        "um, largest distance of joined centroids (all kinds but paper); the paper's 64 px at 0.5 um/px",
        open_ends="low",
    )
    n_nearest: int = whole(
        5, 1, 100, "nearest nuclei a nucleus is joined to (knn); 5 as in HACT-Net (Pati et al. 2022)"
    )
    max_delta_orientation_deg: float = number(
        30.0,
        0,
        90,
        "degrees between the axes of joined nuclei (orientation); 90 joins all that are near; by chance two axes "
        "differ by at most 30 in one pair of three; ours",
    )
    min_eccentricity: float = number(
        0.6,
        0,
        1,
        "below this a nucleus is too round to have an axis (0.6: minor axis is 0.8 of the major); ours",
        open_ends="high",
    )
    axisless_nuclei: AxislessRule = choice(
        "join_by_distance",
        AxislessRule,
        "pairs with a round nucleus (orientation): join_by_distance, since it can disagree with none, or "
        "leave_unjoined",
    )
    paper_radius_px: float = number(
        64.0, 0, 10_000, "largest distance, pixels at mpp (paper, which has 64)", open_ends="low"
    )
    paper_min_cosine: float = number(
        0.70, -1, 1, "least cosine similarity of the raw 12-vectors (paper, which has 0.70)"
    )


@dataclass(frozen=True)
class FeatureParams(Tunables, section="features"):
    """Which tiles get features and which features they get; blocks are written in one order whatever order is given."""

    min_nuclei: int = whole(
        65,
        1,
        100_000,
        "a patch with fewer nuclei is left out; paper: more than 64; small tiles need less (5 at 128 px)",
    )
    blocks: tuple[FeatureBlock, ...] = listing(
        ("paper", "orientation"),
        Choice(get_args(FeatureBlock)),
        "paper: 51 spatial + 18 graph features; orientation: 31 rotation-invariant axis statistics; core: 39 of COrE "
        "over local graphs; core_published: 39, not rotation-invariant; histomicstk: 56; morphology: size, shape, "
        "stain; cell_types: composition and neighbourhood of types, of imported nuclei that have them",
        least=1,
    )
    cell_types: tuple[str, ...] = listing(
        PANNUKE_TYPES,
        Text("the name of a type of cell", r'[^"\r\n\t]+'),
        "types that cell_types describes, as the files of nuclei name them, the same for the whole cohort; by default "
        "those of PanNuke, which HoVer-Net and CellViT tell apart (Gamper et al. 2020)",
        least=1,
    )
    neighbour_radii_px: tuple[float, ...] = tunable(
        (10.0, 20.0, 30.0, 40.0, 50.0),
        Listing(Number(0, 10_000, open_low=True), least=5, most=5, rising=True),
        "five increasing radii of features 37-51 and of histomicstk, pixels at mpp (paper)",
    )
    orientation_neighbours: OrientationNeighbours = choice(
        "radius",
        OrientationNeighbours,
        "whose axes orientation and core compare: radius (all near nuclei) or graph (joined ones; a graph built by "
        "agreement of axes then shows little but its own rule)",
    )
    orientation_radius_um: float = number(32.0, 0, 1000, "um (radius); the paper's 64 px at 0.5 um/px", open_ends="low")
    embedding: str = text(
        "",
        "rows with both path and features: empty: those features are used; a name: computed ones are used, those go "
        "beside as embeddings/{name}, matched by coordinates",
        EMBEDDING,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "blocks", tuple(name for name in get_args(FeatureBlock) if name in self.blocks))
        object.__setattr__(self, "neighbour_radii_px", tuple(float(radius) for radius in self.neighbour_radii_px))
