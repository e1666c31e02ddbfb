"""A cohort whose class shows only in pairs of patches, with the true pairs known.

Every image holds pairs of patches that share a key (a direction in ``key_dim``
dimensions) and distractors with keys of their own.  Each patch carries a sign.  In
class ``1`` most pairs agree in sign, in class ``0`` most disagree; a single patch tells
nothing.  The columns [key, one-hot kind, sign, nuisance] are mixed by one random
rotation for the whole cohort, so no column means anything by itself.

Signs are balanced among the agreeing pairs and among the disagreeing ones, so that their
sum, and its spread, are the same in both classes.  What a pooled statistic could know in
principle is the length of the sum of sign times key, which a network has to find first.
"""

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Float32s, Float64s, Int64s
from pipeline.artefacts.atomic import writing
from pipeline.artefacts.features import FeatureStore, write_features
from pipeline.errors import ConfigError
from pipeline.logs import progress
from pipeline.provenance import package_versions

N_KINDS = 3
"""Kinds of patch: first of a pair, second of a pair, distractor."""

KEY_NORM = 2.0
"""Length of a key before its noise."""

TILE_PX = 256
MPP = 0.5


@dataclass(frozen=True)
class PlantedParams:
    """What is planted.

    Attributes
    ----------
    n_images
        Number of images, half of each class; at least 2.
    n_pairs, n_distractors
        Pairs (at least 1) and single patches (at least 0) an image.
    key_dim, nuisance_dim
        Dimensions of the key (at least 1) and of pure noise (at least 0).
    key_noise, nuisance_noise
        SD of the noise on each dimension of a key, and of each nuisance dimension.
    agreement
        Share of pairs that agree in class ``1`` and disagree in class ``0``; 0.5 to 1.
    planted
        False makes the control: pairs agree by the toss of a coin whatever the class.
    images_per_case
        Images of one patient, at least 1; a patient has one class.
    gap_tiles
        Empty columns of tiles between two fields of tissue, one partner of each pair in
        either; 0 has one field, where pairs lie anywhere.
    """

    n_images: int = 300
    n_pairs: int = 16
    n_distractors: int = 8
    key_dim: int = 8
    nuisance_dim: int = 8
    key_noise: float = 0.15
    nuisance_noise: float = 0.7
    agreement: float = 0.75
    planted: bool = True
    images_per_case: int = 1
    gap_tiles: int = 0

    def __post_init__(self) -> None:
        least = {"n_images": 2, "n_pairs": 1, "n_distractors": 0, "key_dim": 1, "nuisance_dim": 0}
        least |= {"images_per_case": 1, "gap_tiles": 0}
        for key, bound in least.items():
            if getattr(self, key) < bound:
                raise ConfigError(f"planted.{key}: expected at least {bound}, found {getattr(self, key)}.")
        if min(self.key_noise, self.nuisance_noise) < 0:
            raise ConfigError("planted.key_noise and planted.nuisance_noise: expected at least 0.")
        if not 0.5 <= self.agreement <= 1:
            raise ConfigError(f"planted.agreement: expected 0.5 to 1, found {self.agreement}.")

    @property
    def n_patches(self) -> int:
        """Patches an image."""
        return 2 * self.n_pairs + self.n_distractors

    @property
    def n_features(self) -> int:
        """Columns of the node features."""
        return self.key_dim + N_KINDS + 1 + self.nuisance_dim


STANDARD = PlantedParams()
HARD = PlantedParams(
    n_pairs=8,
    n_distractors=24,
    key_dim=12,
    nuisance_dim=20,
    key_noise=0.25,
    nuisance_noise=1.0,
    agreement=1.0,
)

VARIANTS: dict[str, PlantedParams] = {
    "standard": STANDARD,
    "hard": HARD,
    "frontier": replace(HARD, n_pairs=16, n_distractors=16, agreement=0.75),
    "long_range": replace(STANDARD, gap_tiles=12),
    "control": replace(STANDARD, planted=False),
}
"""Cohorts by name.

``hard`` has few pairs among much noise, ``frontier`` more pairs of which a quarter speak
against the class.  In ``long_range`` the fields are further apart than they are wide, so
that no patch has its partner among its neighbours.  ``control`` holds pairs that know
nothing of the class: no method may beat chance.
"""


@dataclass(frozen=True)
class PlantedImage:
    """One image of the cohort and its truth.

    Attributes
    ----------
    slide_id, case_id, label
        Names; the label is ``"0"`` or ``"1"``.
    features
        float32 (n_patches, n_features), rotated.
    coords
        int64 (n_patches, 2), level-0 (x, y) of each tile's top-left corner.
    pairs
        int64 (2, n_pairs), rows of ``features`` that belong together.
    """

    slide_id: str
    case_id: str
    label: str
    features: Float32s
    coords: Int64s
    pairs: Int64s


def plant_images(params: PlantedParams, seed: int) -> list[PlantedImage]:
    """Images of a planted cohort, in memory; classes alternate by patient."""
    rotation_seed, *image_seeds = np.random.SeedSequence(seed).spawn(params.n_images + 1)
    rotation = random_rotation(params.n_features, np.random.default_rng(rotation_seed))
    return [_plant(params, index, rotation, np.random.default_rng(child)) for index, child in enumerate(image_seeds)]


def random_rotation(size: int, rng: np.random.Generator) -> Float64s:
    """Orthogonal matrix (size, size), uniform over the group (QR with the signs of R fixed; Mezzadri 2007)."""
    orthogonal, upper = np.linalg.qr(rng.normal(size=(size, size)))
    return np.asarray(orthogonal * np.sign(np.diag(upper)), np.float64)


def _plant(params: PlantedParams, index: int, rotation: Float64s, rng: np.random.Generator) -> PlantedImage:
    case = index // params.images_per_case
    label = case % 2
    plain = _patches(params, label, rng)
    order = rng.permutation(params.n_patches)
    place = np.argsort(order)
    return PlantedImage(
        slide_id=f"planted_{index:05d}",
        case_id=f"case_{case:05d}",
        label=str(label),
        features=(plain[order] @ rotation).astype(np.float32),
        coords=_coords(params, order, rng),
        pairs=np.stack([place[: params.n_pairs], place[params.n_pairs : 2 * params.n_pairs]]).astype(np.int64),
    )


def _patches(params: PlantedParams, label: int, rng: np.random.Generator) -> Float64s:
    """Unrotated patches: firsts of the pairs, their seconds in the same order, distractors."""
    n_pairs, n_single = params.n_pairs, params.n_distractors
    keys = rng.normal(size=(n_pairs + n_single, params.key_dim))
    keys *= KEY_NORM / np.linalg.norm(keys, axis=1, keepdims=True)
    key = np.concatenate([keys[:n_pairs], keys])
    kind = np.repeat(np.eye(N_KINDS), [n_pairs, n_pairs, n_single], axis=0)
    sign = _signs(params, label, rng)
    noise = rng.normal(size=key.shape) * params.key_noise
    nuisance = rng.normal(size=(params.n_patches, params.nuisance_dim)) * params.nuisance_noise
    return np.concatenate([key + noise, kind, sign[:, None], nuisance], axis=1)


def _signs(params: PlantedParams, label: int, rng: np.random.Generator) -> Float64s:
    """Sign of each patch; of the pairs exactly ``round(agreement * n_pairs)`` follow the class."""
    following = rng.permutation(params.n_pairs) < round(params.agreement * params.n_pairs)
    agrees = following == bool(label) if params.planted else rng.random(params.n_pairs) < 0.5
    first = np.empty(params.n_pairs)
    for group in (agrees, ~agrees):
        first[group] = _balanced(int(group.sum()), rng)
    return np.concatenate([first, np.where(agrees, first, -first), rng.choice([-1.0, 1.0], size=params.n_distractors)])


def _balanced(n: int, rng: np.random.Generator) -> Float64s:
    """Signs in random order, as many of the one as of the other; of an odd number one is tossed."""
    return rng.permutation(np.resize(rng.permutation([-1.0, 1.0]), n))


def _coords(params: PlantedParams, order: Int64s, rng: np.random.Generator) -> Int64s:
    if not params.gap_tiles:
        return _grid(params.n_patches)
    first = rng.integers(0, 2, size=params.n_pairs)
    single = rng.permutation(np.arange(params.n_distractors) % 2)
    is_right = np.concatenate([first, 1 - first, single])[order].astype(bool)
    coords = np.empty((params.n_patches, 2), np.int64)
    left, right = _grid(int((~is_right).sum())), _grid(int(is_right.sum()))
    coords[~is_right] = left
    coords[is_right] = right
    coords[is_right, 0] += left[:, 0].max(initial=-TILE_PX) + (params.gap_tiles + 1) * TILE_PX
    return coords


def _grid(n_patches: int) -> Int64s:
    columns = int(np.ceil(np.sqrt(n_patches)))
    position = np.arange(n_patches)
    return np.asarray(np.stack([position % columns, position // columns], axis=1) * TILE_PX, np.int64)


def write_planted_cohort(out_dir: str | Path, params: PlantedParams, seed: int) -> Path:
    """Write a planted cohort as feature caches with a sheet.

    ``features/{slide_id}.zarr`` hold the patches, ``truth/{slide_id}.npz`` the array
    ``pairs`` int64 (2, n_pairs), ``slides.csv`` the columns slide_id, features, label,
    case_id.

    Returns
    -------
    The sheet's path.
    """
    out = Path(out_dir)
    (out / "truth").mkdir(parents=True, exist_ok=True)
    images = plant_images(params, seed)
    versions = package_versions()
    for image in progress(images, description="planted cohort", unit="images", total=len(images)):
        write_features(out / "features" / f"{image.slide_id}.zarr", _store(image, params, seed, versions))
        with writing(out / "truth" / f"{image.slide_id}.npz") as temporary:
            np.savez(temporary, pairs=image.pairs)
    return _write_sheet(out / "slides.csv", images)


def _store(image: PlantedImage, params: PlantedParams, seed: int, versions: Mapping[str, str]) -> FeatureStore:
    return FeatureStore(
        slide_id=image.slide_id,
        features=image.features,
        feature_names=tuple(f"rotated_{column}" for column in range(params.n_features)),
        coords=image.coords,
        tile_id=np.arange(params.n_patches, dtype=np.int64),
        mpp=MPP,
        tile_px=TILE_PX,
        tile_width_l0=float(TILE_PX),
        params={"planted": {**asdict(params), "seed": seed}},
        packages=versions,
    )


def _write_sheet(path: Path, images: list[PlantedImage]) -> Path:
    with writing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        sheet = csv.writer(stream, lineterminator="\n")
        sheet.writerow(["slide_id", "features", "label", "case_id"])
        sheet.writerows([i.slide_id, f"features/{i.slide_id}.zarr", i.label, i.case_id] for i in images)
    return path
