import numpy as np
import pandas as pd
import pytest

from pipeline.artefacts.tiles import PEN_COLUMNS, QC_COLUMNS
from pipeline.tiling.grid.tile_rejection import (
    causes,
    decided,
    drop_blurred,
    drop_folded,
    drop_inked,
    drop_off_stain,
    drop_unreadable,
    drop_unsampled,
    drop_without_tissue,
    undecided,
)
from pipeline.tiling.params import TilingParams

PARAMS = TilingParams(
    min_tissue_fraction=0.15, qc_max_pen=0.1, qc_max_fold=0.25, qc_max_off_stain=0.3, qc_min_focus=0.23
)


def row_of_tiles(n: int, **columns: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"x_l0": 100 * np.arange(n), "y_l0": 7, "tissue_fraction": 1.0, "reason": [""] * n})
    return frame.assign(**dict.fromkeys(QC_COLUMNS, 0.0)).assign(**{"qc_focus": 0.4, **columns})


def test_tissue_at_the_minimum_is_enough() -> None:
    tiles = decided(drop_without_tissue(row_of_tiles(4, tissue_fraction=[0.0, 0.149, 0.15, 1.0]), PARAMS))
    assert tiles["reason"].tolist() == ["no tissue", "tissue fraction below 0.15", "", ""]
    assert tiles["kept"].tolist() == [False, False, True, True]


def test_zero_keeps_tiles_without_tissue() -> None:
    params = TilingParams(min_tissue_fraction=0.0)
    assert undecided(drop_without_tissue(row_of_tiles(2, tissue_fraction=[0.0, 1.0]), params)).all()


def test_pens_of_all_colours_count_together() -> None:
    tiles = drop_inked(row_of_tiles(3, qc_pen_red=[0.06, 0.06, 0.0], qc_pen_black=[0.0, 0.06, 0.1]), PARAMS)
    assert tiles["reason"].tolist() == ["", "pen on more than 0.1 of the area", ""]


@pytest.mark.parametrize(
    ("drop", "column", "passing", "failing", "reason"),
    [
        (drop_folded, "qc_fold", 0.25, 0.26, "fold on more than 0.25 of the area"),
        (
            drop_off_stain,
            "qc_off_stain",
            0.3,
            0.31,
            "colours that haematoxylin and eosin do not make on more than 0.3 of the area",
        ),
        (drop_blurred, "qc_focus", 0.23, 0.22, "out of focus: below 0.23"),
    ],
)
def test_thresholds_are_inclusive_and_what_was_not_measured_passes(
    drop: object, column: str, passing: float, failing: float, reason: str
) -> None:
    tiles = drop(row_of_tiles(3, **{column: [passing, failing, np.nan]}), PARAMS)  # type: ignore[operator]
    assert tiles["reason"].tolist() == ["", reason, ""]


def test_an_unreadable_tile_says_where_it_is() -> None:
    tiles = drop_unreadable(row_of_tiles(3), np.array([False, False, True]))
    assert tiles["reason"].tolist() == ["", "", "unreadable at level-0 (200, 7)"]


def test_the_first_reason_stays() -> None:
    bad = {column: [1.0] for column in (*PEN_COLUMNS, "qc_fold", "qc_off_stain")}
    tiles = row_of_tiles(1, tissue_fraction=[0.0], qc_focus=[0.0], **bad)
    tiles = drop_unreadable(drop_inked(tiles, PARAMS), np.array([True]))
    for drop in (drop_without_tissue, drop_folded, drop_off_stain, drop_blurred):
        tiles = drop(tiles, PARAMS)
    assert tiles["reason"].tolist() == ["pen on more than 0.1 of the area"]


def sampled(n: int, seed: int, max_tiles: int = 8) -> np.ndarray:
    tiles = row_of_tiles(n)
    tiles.loc[::2, "reason"] = "no tissue"
    return np.flatnonzero(undecided(drop_unsampled(tiles, TilingParams(max_tiles=max_tiles, seed=seed))))


def test_sample_has_its_size_and_spreads_over_the_slide() -> None:
    for seed in range(20):
        chosen = sampled(160, seed)
        assert len(chosen) == 8
        # 80 tiles remain, so each run of ten of them, 20 rows of the table, gives one.
        np.testing.assert_array_equal(chosen // 20, np.arange(8))


def test_sample_follows_its_seed() -> None:
    np.testing.assert_array_equal(sampled(1000, 3), sampled(1000, 3))
    assert (sampled(1000, 3) != sampled(1000, 4)).any()


def test_every_tile_can_be_drawn() -> None:
    assert set(np.concatenate([sampled(22, seed, max_tiles=4) for seed in range(60)])) == set(range(1, 22, 2))


def test_fewer_tiles_than_the_maximum_all_stay() -> None:
    assert len(sampled(16, 0)) == 8
    assert len(sampled(6, 0)) == 3
    assert len(sampled(100, 0, max_tiles=0)) == 50


def test_unsampled_tiles_say_so() -> None:
    tiles = drop_unsampled(row_of_tiles(5), TilingParams(max_tiles=2))
    assert (tiles["reason"] == "not in the sample of 2 tiles").sum() == 3


def test_causes_count_every_dropped_tile_once() -> None:
    tiles = row_of_tiles(6, qc_fold=[1, 0, 0, 0, 0, 0], tissue_fraction=[1, 0, 0.1, 1, 1, 1])
    tiles = drop_folded(drop_without_tissue(tiles, PARAMS), PARAMS)
    tiles = drop_unsampled(drop_unreadable(tiles, np.arange(6) == 3), TilingParams(max_tiles=1))
    found = causes(tiles)
    assert list(found) == ["unreadable", "no tissue", "little tissue", "fold", "not sampled"]
    np.testing.assert_array_equal(sum(flags.astype(int) for flags in found.values()), ~undecided(tiles))
