"""Painted slides whose class lies only in how patches of one type of tissue relate to each other.

A slide is a mosaic of square tiles in random places.  Each tile shows one *type* of tissue
from a stock of eight: nuclei smaller or larger, more or less elongated, more or less
aligned.  An image draws four of the types, and each type fills as many tiles as any other.
Each tile is also dense or sparse in nuclei, half of an image's tiles are dense.  In class
``coupled`` the tiles of one type are all dense or all sparse, two types of either; in class
``free`` each type has as many dense tiles as sparse ones.

True edges: every two tiles of one type.  Who knows them sees at once whether neighbours
agree in density; a single tile, the share of any type and the share of dense tiles tell
nothing, tiles that look alike are often of other types, for types lie near to each other,
and so are neighbours in space.

Stain, hue and texture vary between patients, not between tiles: no colour tells a type.
"""

import itertools
import math
import os
from collections import deque
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.arrays import Bools, Float64s, Int64s
from pipeline.errors import ConfigError
from pipeline.logs import progress
from pipeline.synthetic.painting.nucleus import Stain
from pipeline.synthetic.painting.painted_files import slide_path, write_making, write_table
from pipeline.synthetic.painting.placement import NucleusShape
from pipeline.synthetic.painting.pyramid import write_pyramid
from pipeline.synthetic.painting.tissue import PaintedTissue, TissueSpec
from pipeline.synthetic.painting.tissue_mosaic import TileLook, paint_mosaic
from pipeline.worker_processes import worker_processes

COUPLED, FREE = "coupled", "free"

MAJOR_UM = (7.9, 9.15)
"""Mean major axis of smaller and of larger nuclei."""

ASPECT = (0.60, 0.515)
"""Minor over major axis of less and of more elongated nuclei."""

KAPPA = (0.7, 1.6)
"""Axial concentration in less and in more order: nematic order 0.33 and 0.62."""

NUCLEI_PER_MM2 = (2750.0, 4840.0)
"""Density of sparse and of dense tiles."""

TYPES = tuple(itertools.product((0, 1), repeat=3))
"""The stock: large, elongated, aligned."""

IMAGES_PER_PROCESS = 16
"""Images that are worth the start of one more process."""

PATIENT_STREAM, IMAGE_STREAM = 1, 2
"""Numbers that keep the random streams of patients and images apart."""


@dataclass(frozen=True)
class PaintedParams:
    """Size and make of a painted cohort.

    Attributes
    ----------
    n_images, n_unlabelled
        Images with a label, half of each class, at least 2; and further ones without.
    n_types
        Types of tissue in an image, an even number from 2 to 8.
    tiles_per_type
        Tiles of each, an even number, at least 2.
    n_cols
        Tiles in a row; the tiles of an image fill whole rows.
    tile_um, mpp
        Side of a tile; um per pixel of level 0.
    planted
        False makes the control: whether types are coupled is tossed whatever the label.
    """

    n_images: int = 120
    n_unlabelled: int = 2
    n_types: int = 4
    tiles_per_type: int = 8
    n_cols: int = 8
    tile_um: float = 64.0
    mpp: float = 0.5
    planted: bool = True

    def __post_init__(self) -> None:
        if self.n_images < 2 or self.n_unlabelled < 0:
            raise ConfigError("painted slides: n_images must be at least 2 and n_unlabelled at least 0.")
        if self.n_types not in range(2, len(TYPES) + 1, 2):
            raise ConfigError(f"painted slides: n_types is {self.n_types}; expected an even number from 2 to 8.")
        if self.tiles_per_type < 2 or self.tiles_per_type % 2:
            raise ConfigError(
                f"painted slides: tiles_per_type is {self.tiles_per_type}; expected an even number from 2."
            )
        if self.n_cols < 1 or self.n_tiles % self.n_cols:
            raise ConfigError(f"painted slides: n_cols is {self.n_cols}; expected a divisor of {self.n_tiles} tiles.")
        for key in ("tile_um", "mpp"):
            if getattr(self, key) <= 0:
                raise ConfigError(f"painted slides: {key} is {getattr(self, key)}; expected more than 0.")

    @property
    def n_tiles(self) -> int:
        """Tiles of an image."""
        return self.n_types * self.tiles_per_type

    @property
    def tile_px(self) -> int:
        """Side of a tile in level-0 pixels."""
        return round(self.tile_um / self.mpp)


@dataclass(frozen=True)
class PaintedImage:
    """One image before it is painted.

    Attributes
    ----------
    slide_id, case_id, label
        Names; every image is of another patient.
    tissue
        int64 (n_tiles,), number in ``TYPES`` of each tile, row by row.
    dense
        bool (n_tiles,).
    """

    slide_id: str
    case_id: str
    label: str
    labelled: bool
    tissue: Int64s
    dense: Bools


def plan_images(params: PaintedParams, seed: int) -> list[PaintedImage]:
    """Images of a cohort, classes in turn, those without a label last."""
    return [_plan(params, number, seed) for number in range(params.n_images + params.n_unlabelled)]


def _plan(params: PaintedParams, number: int, seed: int) -> PaintedImage:
    rng = np.random.default_rng([seed, IMAGE_STREAM, number])
    is_labelled = number < params.n_images
    name = f"s{number + 1:03d}" if is_labelled else f"new{number - params.n_images + 1:02d}"
    label = (COUPLED, FREE)[number % 2]
    is_coupled = label == COUPLED if params.planted else bool(rng.integers(2))
    types = rng.permutation(len(TYPES))[: params.n_types]
    tissue = np.repeat(types, params.tiles_per_type)
    if is_coupled:
        dense = np.repeat(dense_types(np.asarray(TYPES, np.float64)[types], rng), params.tiles_per_type)
    else:
        halves = np.arange(params.tiles_per_type) % 2 == 0
        dense = np.concatenate([rng.permutation(halves) for _ in types])
    order = rng.permutation(params.n_tiles)
    return PaintedImage(name, f"p{number + 1:03d}", label, is_labelled, tissue[order], dense[order])


def dense_types(keys: Float64s, rng: np.random.Generator) -> Bools:
    """Which half of the types is dense, such that dense and sparse ones have the same size, form and order.

    As far as that can be: of all halves, one of those with the least difference of mean keys.

    Parameters
    ----------
    keys
        float64 (n_types, k).

    Returns
    -------
    bool (n_types,)
    """
    halves = np.array(
        [np.isin(range(len(keys)), half) for half in itertools.combinations(range(len(keys)), len(keys) // 2)]
    )
    difference = np.linalg.norm((2.0 * halves - 1) @ keys, axis=1)
    least = np.flatnonzero(difference <= difference.min() + 1e-9)
    return np.asarray(halves[rng.choice(least)], np.bool_)


def true_edges(image: PaintedImage) -> Int64s:
    """Pairs of tiles of one type, numbers of tiles row by row, int64 (2, n_edges), the smaller first."""
    same = image.tissue[:, None] == image.tissue[None, :]
    return np.asarray(np.stack(np.nonzero(np.triu(same, 1))), np.int64)


def paint_image(image: PaintedImage, params: PaintedParams, seed: int) -> PaintedTissue:
    """Picture of an image, and its nuclei."""
    number = int(image.case_id[1:]) - 1
    rng = np.random.default_rng([seed, IMAGE_STREAM, number, 1])
    looks = [_look(TYPES[tissue], bool(dense), rng) for tissue, dense in zip(image.tissue, image.dense, strict=True)]
    spec = _patient_spec(np.random.default_rng([seed, PATIENT_STREAM, number]))
    return paint_mosaic(looks, params.n_cols, params.tile_um, spec, mpp=params.mpp, rng=rng)


def _look(tissue: tuple[int, ...], dense: bool, rng: np.random.Generator) -> TileLook:
    large, elongated, aligned = tissue
    shape = NucleusShape(major_um=MAJOR_UM[large], major_cv=0.12, aspect=ASPECT[elongated], aspect_sd=0.05)
    return TileLook(NUCLEI_PER_MM2[dense], shape, float(rng.uniform(0, math.pi)), KAPPA[aligned])


def _patient_spec(rng: np.random.Generator) -> TissueSpec:
    """Stain and stroma of one patient, drawn without regard to the class."""
    stain = Stain(
        haematoxylin=float(rng.uniform(1.35, 1.7)),
        eosin=float(rng.uniform(0.5, 0.7)),
        basophilia=float(rng.uniform(0.2, 0.35)),
        tilt=float(rng.uniform(0.4, 0.7)),
        vesicular=float(rng.uniform(0.1, 0.3)),
    )
    return replace(TissueSpec(), stain=stain)


def write_painted_cohort(out_dir: str | Path, params: PaintedParams, seed: int) -> Path:
    """Paint a cohort; the same seed and params give the same bytes.

    Under ``out_dir``: ``slides.csv`` (slide_id, path, label, case_id); ``slides/{slide_id}.tif``,
    tiled pyramids; ``truth/{slide_id}.tiles.csv`` (x_l0, y_l0 of each tile's top-left corner,
    large, elongated, aligned, dense); ``truth/{slide_id}.edges.csv`` (x_l0, y_l0 of one tile,
    other_x_l0, other_y_l0 of the other, a row for each true edge); ``truth/provenance.json``.

    Returns
    -------
    Path of the sheet.
    """
    folder = Path(out_dir)
    images = plan_images(params, seed)
    with worker_processes(min(len(os.sched_getaffinity(0)), math.ceil(len(images) / IMAGES_PER_PROCESS))) as painters:
        written = painters.map(partial(_write_image, folder, params=params, seed=seed), images)
        deque(progress(written, description="painted slides", unit="slides", total=len(images)), maxlen=0)
    write_making(folder / "truth", "pipeline.synthetic.painted", asdict(params), seed)
    sheet = pd.DataFrame(
        {
            "slide_id": [image.slide_id for image in images],
            "path": [slide_path(image.slide_id) for image in images],
            "label": [image.label if image.labelled else "" for image in images],
            "case_id": [image.case_id for image in images],
        }
    )
    write_table(folder / "slides.csv", sheet)
    return folder / "slides.csv"


def _write_image(folder: Path, image: PaintedImage, *, params: PaintedParams, seed: int) -> None:
    """Paint one image; its slide and its truth."""
    write_pyramid(folder / slide_path(image.slide_id), paint_image(image, params, seed).rgb, params.mpp)
    tiles = _tiles(image, params)
    write_table(folder / "truth" / f"{image.slide_id}.tiles.csv", tiles)
    write_table(folder / "truth" / f"{image.slide_id}.edges.csv", _edges(image, tiles))


def _tiles(image: PaintedImage, params: PaintedParams) -> pd.DataFrame:
    row, col = np.divmod(np.arange(params.n_tiles), params.n_cols)
    types = pd.DataFrame(np.asarray(TYPES)[image.tissue], columns=["large", "elongated", "aligned"])
    corners = pd.DataFrame({"x_l0": col * params.tile_px, "y_l0": row * params.tile_px})
    return pd.concat([corners, types], axis=1).assign(dense=image.dense.astype(np.int64))


def _edges(image: PaintedImage, tiles: pd.DataFrame) -> pd.DataFrame:
    first, second = (tiles.loc[ends, ["x_l0", "y_l0"]].reset_index(drop=True) for ends in true_edges(image))
    return pd.concat([first, second.add_prefix("other_")], axis=1)
