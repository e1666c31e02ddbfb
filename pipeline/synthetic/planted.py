"""Cohorts whose class shows only in pairs of patches, with the true pairs known.

Every image holds pairs of patches that share a key (a direction in ``key_dim``
dimensions) and distractors with keys of their own.  Each patch carries a sign.  In
class ``1`` most pairs agree in sign, in class ``0`` most disagree; a single patch tells
nothing.  The columns [key, one-hot kind, sign, nuisance] are mixed by one random
rotation for the whole cohort, so no column means anything by itself.

True edges: the two patches of each pair whose agreement follows the class.

Keys are drawn anew for every image, or come from a *stock* common to all images: as many
types of tissue as there are pairs, each image holding two patches of every type.  Every
image then has the same keys, so that no contrast between images finds them, and some types
are idle: as many of their pairs agree in one class as in the other.  Which types interact
only the labels tell.

Images of *shifted* cohorts are moved as a whole (``planting.shifts``): stain by hospital,
patient and image, and in the training fold class and hospital go together.

Signs are balanced among the agreeing pairs and among the disagreeing ones, so that their
sum, and its spread, are the same in both classes.  What a pooled statistic could know in
principle is the length of the sum of sign times key, which a network has to find first.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.errors import ConfigError
from pipeline.synthetic.planting.ceiling import N_CEILING_IMAGES, Ceiling, accuracy_with_true_edges
from pipeline.synthetic.planting.cohort_files import write_cohort
from pipeline.synthetic.planting.planted_image import TILE_PX, PlantedImage, grid_coords
from pipeline.synthetic.planting.shifts import ShiftParams, draw_case, hospital_shifts

N_KINDS = 3
"""Kinds of patch: first of a pair, second of a pair, distractor."""

SHIFT_STREAM = 1
"""Number that keeps the random streams of shifts apart from those of images."""

KEY_NORM = 2.0
"""Length of a key before its noise."""


@dataclass(frozen=True)
class PlantedParams:
    """What is planted.

    Attributes
    ----------
    n_images
        Number of images, half of each class; at least 2.
    n_pairs, n_idle, n_distractors
        Pairs that follow the class (at least 1), pairs half of which agree in either class
        (at least 0), and single patches (at least 0) an image.
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
    stock
        Whether keys are the same in all images.
    shifts
        How images are shifted, and folds in the sheet; None does neither.
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
    n_idle: int = 0
    stock: bool = False
    shifts: ShiftParams | None = None

    def __post_init__(self) -> None:
        least = {"n_images": 2, "n_pairs": 1, "n_distractors": 0, "key_dim": 1, "nuisance_dim": 0}
        least |= {"images_per_case": 1, "gap_tiles": 0, "n_idle": 0}
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
        return 2 * self.n_partnered + self.n_distractors

    @property
    def n_partnered(self) -> int:
        """Pairs an image, idle ones too."""
        return self.n_pairs + self.n_idle

    @property
    def n_following(self) -> int:
        """Pairs of an image that follow its class."""
        return round(self.agreement * self.n_pairs)

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
    "stock": replace(STANDARD, n_images=750, n_idle=4, n_distractors=0, nuisance_dim=10, stock=True),
    "shifted": replace(STANDARD, n_images=600, images_per_case=2, shifts=ShiftParams()),
}
"""Cohorts by name.

``stock`` and ``shifted`` are told above.  ``hard`` has few pairs among much noise,
``frontier`` more pairs of which a quarter speak against the class.  In ``long_range`` the
fields are further apart than they are wide, so that no patch has its partner among its
neighbours.  ``control`` holds pairs that know
nothing of the class: no method may beat chance.
"""


@dataclass(frozen=True)
class _Cohort:
    """What all images share: rotation (n_features, n_features), and stock of keys or None."""

    rotation: Float64s
    stock: Float64s | None


def plant_images(params: PlantedParams, seed: int) -> list[PlantedImage]:
    """Images of a planted cohort, in memory; classes alternate by patient.

    The first images of a larger cohort are those of a smaller one with the same seed.
    """
    cohort_seed, *image_seeds = np.random.SeedSequence(seed).spawn(params.n_images + 1)
    rng = np.random.default_rng(cohort_seed)
    cohort = _Cohort(random_rotation(params.n_features, rng), _draw_keys(params, rng) if params.stock else None)
    images = [_plant(params, index, cohort, np.random.default_rng(child)) for index, child in enumerate(image_seeds)]
    if params.shifts is None:
        return images
    return _shifted(images, params, params.shifts, hospital_shifts(params.shifts, rng), seed)


def random_rotation(size: int, rng: np.random.Generator) -> Float64s:
    """Orthogonal matrix (size, size), uniform over the group (QR with the signs of R fixed; Mezzadri 2007)."""
    orthogonal, upper = np.linalg.qr(rng.normal(size=(size, size)))
    return np.asarray(orthogonal * np.sign(np.diag(upper)), np.float64)


def _plant(params: PlantedParams, index: int, cohort: _Cohort, rng: np.random.Generator) -> PlantedImage:
    case = index // params.images_per_case
    label = case % 2
    plain = _patches(params, label, cohort.stock, rng)
    order = rng.permutation(params.n_patches)
    place = np.argsort(order)
    first, second = place[: params.n_partnered], place[params.n_partnered : 2 * params.n_partnered]
    return PlantedImage(
        slide_id=f"planted_{index:05d}",
        case_id=f"case_{case:05d}",
        label=str(label),
        features=(plain[order] @ cohort.rotation).astype(np.float32),
        coords=_coords(params, order, rng),
        pairs=np.stack([first[: params.n_pairs], second[: params.n_pairs]]).astype(np.int64),
    )


def _shifted(
    images: list[PlantedImage], params: PlantedParams, shifts: ShiftParams, of_hospitals: Float64s, seed: int
) -> list[PlantedImage]:
    """Images with shift, hospital and fold.

    Shifts lie along the first columns, which after the rotation are directions like any other.
    """
    moved = []
    for first in range(0, len(images), params.images_per_case):
        of_case = images[first : first + params.images_per_case]
        case = first // params.images_per_case
        rng = np.random.default_rng([seed, SHIFT_STREAM, case])
        drawn = draw_case(shifts, case, len(of_case), of_hospitals, rng)
        for image, shift in zip(of_case, drawn.shifts, strict=True):
            features = image.features.copy()
            features[:, : shifts.directions] += shift
            moved.append(replace(image, features=features, fold=drawn.fold, hospital=f"hospital_{drawn.hospital}"))
    return moved


def _draw_keys(params: PlantedParams, rng: np.random.Generator) -> Float64s:
    """Keys of the pairs, idle ones last, then of the distractors, (n_partnered + n_distractors, key_dim)."""
    keys = rng.normal(size=(params.n_partnered + params.n_distractors, params.key_dim))
    return np.asarray(keys * KEY_NORM / np.linalg.norm(keys, axis=1, keepdims=True), np.float64)


def _patches(params: PlantedParams, label: int, stock: Float64s | None, rng: np.random.Generator) -> Float64s:
    """Unrotated patches: firsts of the pairs, their seconds in the same order, distractors."""
    n_pairs, n_single = params.n_partnered, params.n_distractors
    keys = _draw_keys(params, rng) if stock is None else stock
    key = np.concatenate([keys[:n_pairs], keys])
    kind = np.repeat(np.eye(N_KINDS), [n_pairs, n_pairs, n_single], axis=0)
    sign = _signs(params, label, rng)
    noise = rng.normal(size=key.shape) * params.key_noise
    nuisance = rng.normal(size=(params.n_patches, params.nuisance_dim)) * params.nuisance_noise
    return np.concatenate([key + noise, kind, sign[:, None], nuisance], axis=1)


def _signs(params: PlantedParams, label: int, rng: np.random.Generator) -> Float64s:
    """Sign of each patch; of the pairs exactly ``round(agreement * n_pairs)`` follow the class."""
    following = rng.permutation(params.n_pairs) < params.n_following
    agrees = following == bool(label) if params.planted else rng.random(params.n_pairs) < 0.5
    if params.n_idle:
        agrees = np.concatenate([agrees, _balanced(params.n_idle, rng) > 0])
    first = np.empty(params.n_partnered)
    for group in (agrees, ~agrees):
        first[group] = _balanced(int(group.sum()), rng)
    return np.concatenate([first, np.where(agrees, first, -first), rng.choice([-1.0, 1.0], size=params.n_distractors)])


def _balanced(n: int, rng: np.random.Generator) -> Float64s:
    """Signs in random order, as many of the one as of the other; of an odd number one is tossed."""
    return rng.permutation(np.resize(rng.permutation([-1.0, 1.0]), n))


def _coords(params: PlantedParams, order: Int64s, rng: np.random.Generator) -> Int64s:
    if not params.gap_tiles:
        return grid_coords(params.n_patches)
    first = rng.integers(0, 2, size=params.n_partnered)
    single = rng.permutation(np.arange(params.n_distractors) % 2)
    is_right = np.concatenate([first, 1 - first, single])[order].astype(bool)
    coords = np.empty((params.n_patches, 2), np.int64)
    left, right = grid_coords(int((~is_right).sum())), grid_coords(int(is_right.sum()))
    coords[~is_right] = left
    coords[is_right] = right
    coords[is_right, 0] += left[:, 0].max(initial=-TILE_PX) + (params.gap_tiles + 1) * TILE_PX
    return coords


def write_planted_cohort(out_dir: str | Path, params: PlantedParams, seed: int) -> Path:
    """Write a planted cohort as feature caches with a sheet; see ``planting.cohort_files``.

    Returns
    -------
    The sheet's path.
    """
    names = tuple(f"rotated_{column}" for column in range(params.n_features))
    made = {"planted": {**asdict(params), "seed": seed}}
    return write_cohort(out_dir, plant_images(params, seed), names, made)


def planted_ceiling(params: PlantedParams, seed: int) -> Ceiling:
    """Best accuracy that a method can have on a planted cohort.

    Signs are not noisy, so that whoever knows the pairs counts how many agree: Bayes' rule
    is right always, or half of the time where classes agree equally often.  The classifier
    given the true edges is tried on images that follow those of the cohort.
    """
    disagreeing = params.n_pairs - params.n_following
    informed = params.planted and params.n_following != disagreeing
    more = replace(params, n_images=params.n_images + N_CEILING_IMAGES)
    others = plant_images(more, seed)[params.n_images :]
    cut = 2 * len(others) // 3
    return Ceiling(1.0 if informed else 0.5, accuracy_with_true_edges(others[:cut], others[cut:]))
