from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import UnreadableRegionError
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.segment_image import image_tiles
from pipeline.nuclei.segmentation.slide_stain import SlideStain, image_stain, slide_stain
from pipeline.nuclei.stain.stain_channels import StainScale, estimate_stain_scale
from pipeline.nuclei.stain.stain_normalisation import MacenkoNormaliser, Unchanged
from pipeline.slides.reader import open_slide
from pipeline.synthetic.painting.tissue import PaintedTissue


def test_stain_scale_of_all_tiles_is_that_of_the_image(tissue: PaintedTissue, tissue_png: Path) -> None:
    """Five by four tiles of 64 px cover the 320 x 256 px exactly."""
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        stain = slide_stain(slide, tiles, NucleiParams())
    assert stain == SlideStain(Unchanged(), estimate_stain_scale([tissue.rgb]))


def test_stain_scale_of_a_sample_depends_on_the_seed_only(tissue_png: Path) -> None:
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        tiles = image_tiles(slide, 0.5, 64)
        few = replace(NucleiParams(), stain_tiles=3)
        first, again, other = (slide_stain(slide, tiles, replace(few, seed=seed)).scale for seed in (0, 0, 1))
    assert first == again != other


def test_a_slide_that_cannot_be_normalised_says_so_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.new("RGB", (128, 128), (246, 244, 247)).save(tmp_path / "glass.png")
    params = NucleiParams(stain_normalisation="macenko")
    with open_slide(tmp_path / "glass.png", slide_id="s7", mpp=0.5) as slide:
        stain = slide_stain(slide, image_tiles(slide, 0.5, 64), params)
    assert isinstance(stain.normaliser, Unchanged)
    assert "s7: colours are not normalised: 0 of 1024 sampled pixels are stained" in caplog.text


@pytest.mark.parametrize("method", ["none", "macenko"])
def test_no_tile(tissue_png: Path, method: str) -> None:
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        stain = slide_stain(slide, image_tiles(slide, 0.5, 64).iloc[:0], NucleiParams(stain_normalisation=method))
    assert stain == SlideStain(Unchanged(), StainScale(0.0, 1.0))


def test_percentiles_are_the_user_s(tissue: PaintedTissue, tissue_png: Path) -> None:
    params = NucleiParams(stain_low_percentile=20.0, stain_high_percentile=80.0)
    expected = estimate_stain_scale([tissue.rgb], low_percentile=20.0, high_percentile=80.0)
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as slide:
        assert slide_stain(slide, image_tiles(slide, 0.5, 64), params).scale == expected
        assert image_stain(slide, 0.5, params).scale == expected


@pytest.mark.parametrize("method", ["none", "macenko"])
def test_bad_tiles_raise_or_stay_out_of_the_sample(damaged_slide: Path, tissue: PaintedTissue, method: str) -> None:
    """Tiles 1, 5 and 6 of four by two are damaged."""
    params = NucleiParams(stain_normalisation=method)
    with open_slide(damaged_slide, slide_id="s") as slide:
        tiles = image_tiles(slide, 0.5, 64)
        with pytest.raises(UnreadableRegionError):
            slide_stain(slide, tiles, params)
        stain = slide_stain(slide, tiles, params, on_bad_tile="exclude")
    readable = [tissue.rgb[row : row + 64, col : col + 64] for row in (0, 64) for col in (0, 64, 128, 192)]
    readable = [readable[position] for position in (0, 2, 3, 4, 7)]
    assert stain.scale == estimate_stain_scale([stain.normaliser.apply(rgb) for rgb in readable])


def test_an_image_is_normalised_before_its_scale_is_estimated(tissue: PaintedTissue, tissue_png: Path) -> None:
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as image:
        stain = image_stain(image, 0.5, NucleiParams(stain_normalisation="macenko"))
    assert isinstance(stain.normaliser, MacenkoNormaliser)
    assert stain.scale == estimate_stain_scale([stain.normaliser.apply(tissue.rgb)])
    assert stain.scale != estimate_stain_scale([tissue.rgb])


def test_a_large_image_is_shrunk_for_its_scale(
    tissue: PaintedTissue, tissue_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.nuclei.segmentation.slide_stain.STAIN_SIDE_PX", 160)
    with open_slide(tissue_png, slide_id="s", mpp=0.5) as image:
        stain = image_stain(image, 0.5, NucleiParams())
        assert stain.scale == estimate_stain_scale([image.thumbnail(1.0)])
        assert stain.scale != estimate_stain_scale([tissue.rgb])
