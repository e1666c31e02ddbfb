"""Which tiles are kept, and the one reason of every tile that is not.

A tile has the first of these reasons that applies:

1. beyond the slide (imported tiles), 2. outside the mask drawn by hand, 3. unreadable,
4. pen, 5. no tissue, 6. too little tissue, 7. fold, 8. colours out of range,
9. out of focus, 10. no nucleus (tables of nuclei without a slide), 11. not in the sample.

Pen comes before tissue, because what lies under it cannot be judged.
"""

from typing import Literal

import numpy as np
import pandas as pd

from pipeline.arrays import Bools
from pipeline.artefacts.tiles import PEN_COLUMNS
from pipeline.tiling.params import TilingParams

Cause = Literal[
    "beyond the slide",
    "outside the mask",
    "unreadable",
    "pen",
    "no tissue",
    "little tissue",
    "fold",
    "off-stain",
    "out of focus",
    "no nucleus",
    "not sampled",
]

OPENING_WORDS: dict[Cause, str] = {
    "beyond the slide": "beyond the slide",
    "outside the mask": "outside the mask",
    "unreadable": "unreadable",
    "pen": "pen on more than",
    "no tissue": "no tissue",
    "little tissue": "tissue fraction below",
    "fold": "fold on more than",
    "off-stain": "colours that haematoxylin and eosin do not make",
    "out of focus": "out of focus",
    "no nucleus": "no nucleus",
    "not sampled": "not in the sample",
}
"""How the reason of each cause begins, in the order in which they are judged."""

SHARE_TOLERANCE = 1e-9
"""Guard: a share computed as 0.15 less rounding reaches 0.15."""


def undecided(tiles: pd.DataFrame) -> Bools:
    """Tiles that no check has dropped so far, (n_tiles,)."""
    return np.asarray(tiles["reason"] == "", np.bool_)


def dropped(tiles: pd.DataFrame, failed: Bools, reason: str) -> pd.DataFrame:
    """``tiles`` with ``reason`` given to those that ``failed``, (n_tiles,), and have none yet."""
    return tiles.assign(reason=tiles["reason"].mask(undecided(tiles) & failed, reason))


def drop_unreadable(tiles: pd.DataFrame, is_unreadable: Bools) -> pd.DataFrame:
    """Give each unreadable tile a reason that says where it is."""
    words = OPENING_WORDS["unreadable"]
    places = [f"{words} at level-0 ({x}, {y})" for x, y in zip(tiles["x_l0"], tiles["y_l0"], strict=True)]
    return tiles.assign(reason=tiles["reason"].mask(undecided(tiles) & is_unreadable, pd.Series(places, tiles.index)))


def drop_inked(tiles: pd.DataFrame, params: TilingParams) -> pd.DataFrame:
    """Drop tiles of which pens of all colours together cover too much."""
    covered = tiles[list(PEN_COLUMNS)].sum(axis=1).to_numpy()
    failed = covered > params.qc_max_pen + SHARE_TOLERANCE
    return dropped(tiles, failed, f"{OPENING_WORDS['pen']} {params.qc_max_pen:g} of the area")


def drop_without_tissue(tiles: pd.DataFrame, params: TilingParams) -> pd.DataFrame:
    """Drop tiles with less than the minimum tissue fraction."""
    share, least = tiles["tissue_fraction"].to_numpy(), params.min_tissue_fraction - SHARE_TOLERANCE
    failed = share < least
    tiles = dropped(tiles, failed & (share == 0), OPENING_WORDS["no tissue"])
    return dropped(tiles, failed, f"{OPENING_WORDS['little tissue']} {params.min_tissue_fraction:g}")


def drop_folded(tiles: pd.DataFrame, params: TilingParams) -> pd.DataFrame:
    """Drop tiles of which folded tissue covers too much."""
    failed = tiles["qc_fold"].to_numpy() > params.qc_max_fold + SHARE_TOLERANCE
    return dropped(tiles, failed, f"{OPENING_WORDS['fold']} {params.qc_max_fold:g} of the area")


def drop_off_stain(tiles: pd.DataFrame, params: TilingParams) -> pd.DataFrame:
    """Drop tiles of which foreign colours cover too much."""
    failed = tiles["qc_off_stain"].to_numpy() > params.qc_max_off_stain + SHARE_TOLERANCE
    return dropped(tiles, failed, f"{OPENING_WORDS['off-stain']} on more than {params.qc_max_off_stain:g} of the area")


def drop_blurred(tiles: pd.DataFrame, params: TilingParams) -> pd.DataFrame:
    """Drop tiles out of focus; one whose focus cannot be measured stays."""
    failed = tiles["qc_focus"].to_numpy() < params.qc_min_focus
    return dropped(tiles, failed, f"{OPENING_WORDS['out of focus']}: below {params.qc_min_focus:g}")


def drop_unsampled(tiles: pd.DataFrame, params: TilingParams) -> pd.DataFrame:
    """Thin the remaining tiles to ``max_tiles``: one at random of each of as many equal runs in reading order."""
    positions = np.flatnonzero(undecided(tiles))
    if not 0 < params.max_tiles < len(positions):
        return tiles
    ends = np.arange(params.max_tiles + 1) * len(positions) // params.max_tiles
    chosen = np.random.default_rng(params.seed).integers(ends[:-1], ends[1:])
    failed = np.ones(len(tiles), np.bool_)
    failed[positions[chosen]] = False
    return dropped(tiles, failed, f"{OPENING_WORDS['not sampled']} of {params.max_tiles} tiles")


def decided(tiles: pd.DataFrame) -> pd.DataFrame:
    """``tiles`` with ``kept``: those without a reason."""
    return tiles.assign(kept=undecided(tiles))


def causes(tiles: pd.DataFrame) -> dict[Cause, Bools]:
    """Which tiles (n_tiles,) each cause dropped, only causes that dropped some, in order."""
    reason = tiles["reason"].astype(str)
    dropped_by = {cause: reason.str.startswith(words).to_numpy(np.bool_) for cause, words in OPENING_WORDS.items()}
    return {cause: flags for cause, flags in dropped_by.items() if flags.any()}
