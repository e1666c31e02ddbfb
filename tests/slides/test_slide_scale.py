import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.errors import ConfigError, MissingMppError, SlideError
from pipeline.slides.mpp_ranges import ANY_MPP, MPP_RANGE
from pipeline.slides.reader import open_slide
from pipeline.slides.slide_scale import (
    agrees_with_power,
    differing,
    magnification_caution,
    resolution_cautions,
    slide_scale,
)
from tests.slides.slide_files import write_svs

RGB = np.full((300, 300, 3), 200, np.uint8)

OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Instrument><Objective NominalMagnification="20.0"/></Instrument>'
    '<Image><Pixels PhysicalSizeX="0.5" PhysicalSizeY="0.5" /></Image></OME>'
)


def write_tiled(path: Path, **tags: Any) -> None:
    tifffile.imwrite(path, RGB, tile=(256, 256), photometric="rgb", metadata=None, **tags)


def cautions(stated: float | tuple[float, float] | None, given: float | None = None, power: float | None = None) -> Any:
    xy = (stated, stated) if isinstance(stated, float) else stated
    source: Any = SimpleNamespace(file_mpp=xy, objective_power=power)
    return slide_scale(source, given, MPP_RANGE, "slide a").cautions


@pytest.mark.parametrize(
    ("stated", "given", "power"),
    [
        (0.5, None, None),
        (0.499, 0.5, 20),
        (0.2431, 0.25, 40),
        (0.2525, None, 40),
        (0.5, None, 40),
        (1.0, None, 5),
        (None, 0.5, None),
        (None, 0.5, 20),
        ((float("nan"), 0.5), 0.5, None),
    ],
)
def test_statements_that_agree_within_rounding_cause_none(
    stated: Any, given: float | None, power: float | None
) -> None:
    assert cautions(stated, given, power) == ()


@pytest.mark.parametrize(
    ("stated", "given", "words"),
    [
        (0.5, 5.0, ["0.5 um/px", "5 um/px", "a factor of 10, as where a unit was mistaken", "the sheet's is taken"]),
        (0.5, 1.27, ["a factor of 2.54, as between inches and centimetres"]),
        (0.25, 0.5, ["the sheet says 0.5 um/px and the file 0.25 um/px (a factor of 2)"]),
        (0.5, 0.46, ["a factor of 1.09"]),
        (25_400 / 72, 0.5, ["352.778 um/px (72 dpi, which programs write by default)"]),
    ],
)
def test_a_sheet_that_contradicts_its_file_is_taken_and_told(stated: float, given: float, words: list[str]) -> None:
    first = cautions(stated, given)[0]
    assert all(word in first for word in words), first


@pytest.mark.parametrize(
    ("mpp", "power", "is_told"), [(5.0, 40, True), (0.05, 20, True), (1.0, 40, True), (0.4, 10, True), (0.5, 10, False)]
)
def test_objective_and_pixel_size_may_differ_by_a_factor_of_two(mpp: float, power: float, is_told: bool) -> None:
    told = [caution for caution in cautions(mpp, None, power) if f"objective's power of {power:g}" in caution]
    assert bool(told) is is_told
    assert agrees_with_power(mpp, power) is not is_told


@pytest.mark.parametrize(
    ("mpp", "is_told"), [(0.05, True), (0.099, True), (0.1, False), (4.0, False), (5.0, True), (10.0, True)]
)
def test_unusual_pixel_sizes_are_told(mpp: float, is_told: bool) -> None:
    assert ("slides are scanned at 0.1 to 4 um/px" in " ".join(cautions(mpp))) is is_told


def test_oblong_pixels_are_refused_unless_the_sheet_overrules_them() -> None:
    with pytest.raises(SlideError, match=r"not square, 0\.5 um in x and 0\.6 um in y"):
        cautions((0.5, 0.6))
    (caution,) = cautions((0.5, 0.6), 0.5)
    assert caution.startswith("the file says pixels are not square, 0.5 um in x and 0.6 um in y; 0.5 um/px")


@pytest.mark.parametrize(("y", "n_told"), [(0.5, 0), (0.5049, 0), (0.506, 1), (0.514, 1)])
def test_pixels_not_quite_square_are_told_and_taken_at_their_mean(y: float, n_told: int) -> None:
    source: Any = SimpleNamespace(file_mpp=(0.5, y), objective_power=None)
    scale = slide_scale(source, None, MPP_RANGE, "a")
    assert scale.mpp == pytest.approx((0.5 + y) / 2)
    assert len(scale.cautions) == n_told
    assert all(f"0.5 um in x and {y:g} um in y" in caution for caution in scale.cautions)


@pytest.mark.parametrize("mpp", [0.049, 10.1, 20.0])
def test_pixel_sizes_of_no_microscope_are_refused_whoever_states_them(tmp_path: Path, mpp: float) -> None:
    path = tmp_path / "a.svs"
    write_svs(path, RGB, mpp=mpp, compression="lzw", photometric="rgb")
    with pytest.raises(MissingMppError, match=r"not a microscope's \(0\.05 to 10 um/px\)"):
        open_slide(path, slide_id="a")
    with pytest.raises(ConfigError, match=r"given as .*the file states .* expected 0\.05 to 10.*slide_mpp_low"):
        open_slide(path, slide_id="a", mpp=mpp)
    for kept in (ANY_MPP, (0.01, 30.0)):
        with open_slide(path, slide_id="a", mpp_range=kept) as slide:
            assert slide.mpp == mpp


def test_the_ends_of_the_range_are_inside() -> None:
    for end in MPP_RANGE:
        assert slide_scale(SimpleNamespace(file_mpp=(end, end), objective_power=None), None, MPP_RANGE, "a").mpp == end  # type: ignore[arg-type]


def test_statements_of_aperio_contradict_each_other_in_one_file(tmp_path: Path) -> None:
    words = "Aperio Image Library v1\n300x300 |AppMag = 40|MPP = 5"
    write_tiled(tmp_path / "a.svs", compression="deflate", description=words)
    for reader in ("tifffile", "openslide"):
        with open_slide(tmp_path / "a.svs", slide_id="a", reader=reader) as slide:  # type: ignore[arg-type]
            assert slide.mpp == 5
            assert ["unusual" in slide.cautions[0], "power of 40" in slide.cautions[1]] == [True, True]


@pytest.mark.parametrize(
    ("per_unit", "unit", "told"),
    [
        (10_000 / 0.5, "CENTIMETER", None),
        (25_400 / 0.5, "INCH", None),
        (25_400 / 0.5, "CENTIMETER", "0.5 with inches taken for centimetres"),
        (10_000 / 0.25, "INCH", "0.25 with inches taken for centimetres"),
        (10_000 / 0.33, "CENTIMETER", None),
    ],
)
def test_inches_taken_for_centimetres(tmp_path: Path, per_unit: float, unit: str, told: str | None) -> None:
    path = tmp_path / "a.tif"
    write_tiled(path, resolution=(per_unit, per_unit), resolutionunit=unit)
    with open_slide(path, slide_id="a") as slide:
        assert [told in caution for caution in slide.cautions] == [True] if told else slide.cautions == ()


@pytest.mark.parametrize(("per_cm", "is_told"), [(20_000, False), (10_000, True), (72 / 2.54, False), (1, False)])
def test_a_description_against_the_resolution_of_tiff(tmp_path: Path, per_cm: float, is_told: bool) -> None:
    path = tmp_path / "a.tif"
    write_tiled(path, description=OME, resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    with open_slide(path, slide_id="a") as slide:
        assert slide.mpp == 0.5
        assert len(slide.cautions) == is_told
    with open_slide(path, slide_id="a", mpp=2.0) as slide:
        assert "power of 20" in slide.cautions[-1]


def test_no_resolution_contradicts_nothing() -> None:
    assert resolution_cautions(None, (0.5, 0.5)) == ()
    assert resolution_cautions((0.5, 0.5), None) == ()


@pytest.mark.parametrize(
    ("slide_mpp", "mpp", "factor"), [(5.0, 0.5, "10 times"), (4.0, 0.5, "8 times"), (0.6, 0.5, "1.2 times")]
)
def test_tiles_finer_than_the_slide_are_magnified(slide_mpp: float, mpp: float, factor: str) -> None:
    (caution,) = magnification_caution(slide_mpp, mpp, "tiles")
    assert factor in caution


@pytest.mark.parametrize("slide_mpp", [0.25, 0.5, 0.5034, 0.5149])
def test_rounding_is_no_magnification(slide_mpp: float) -> None:
    assert magnification_caution(slide_mpp, 0.5, "tiles") == ()


@pytest.mark.parametrize(
    ("one", "other", "words"), [(5, 0.5, "unit"), (0.25, 250, "unit"), (0.5, 1.27, "inches"), (0.5, 1.0, "factor of 2")]
)
def test_factors_tell_their_unit(one: float, other: float, words: str) -> None:
    assert differing(one, other) == differing(other, one)
    assert words in differing(one, other)
    assert not math.isclose(one, other)
