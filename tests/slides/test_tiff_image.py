"""Which image of a TIFF is the slide; the same answer whether it is stored in tiles or strips."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.errors import ConfigError, SlideError
from pipeline.slides.openslide_source import detect_vendor
from pipeline.slides.reader import open_slide
from pipeline.slides.source import UnusableImageError
from pipeline.slides.tiff_image import slide_image
from tests.slides.slide_files import levels_of, tissue

HEIGHT, WIDTH, TILE = 300, 420, 64
SIZE = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
LAYOUTS: dict[str, dict[str, Any]] = {
    "tiles": {"tile": (TILE, TILE)},
    "strips": {"rowsperstrip": 32},
    "deflate": {"tile": (TILE, TILE), "compression": "deflate"},
}


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return tissue(HEIGHT, WIDTH)


def write_ome(path: Path, *images: tuple[np.ndarray, str, dict[str, Any]], **layout: Any) -> Path:
    """An OME-TIFF of images, each with its axes and the metadata beside its size."""
    with tifffile.TiffWriter(path, ome=True) as file:
        for pixels, axes, words in images:
            colour = "rgb" if axes.endswith("S") or axes.startswith("S") else "minisblack"
            file.write(pixels, photometric=colour, metadata={"axes": axes, **SIZE, **words}, **layout)
    return path


def whole(path: Path, **options: Any) -> np.ndarray:
    with open_slide(path, slide_id="s1", **options) as slide:
        return slide.read_box(0, 0, slide.width_l0, slide.height_l0, width_px=slide.width_l0, height_px=slide.height_l0)


def planes(rgb: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(rgb, -1, 0))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("names", [None, ["Red", "Green", "Blue"], ["R", "G", "B"], ["Channel 0", "Channel 1", "C:2"]])
def test_three_grey_planes_are_red_green_and_blue(tmp_path: Path, rgb: np.ndarray, layout, names) -> None:
    words = {} if names is None else {"Channel": {"Name": names}}
    path = write_ome(tmp_path / "slide.ome.tif", (planes(rgb), "CYX", words), **layout)
    np.testing.assert_array_equal(whole(path), rgb)


def test_planes_and_their_levels_in_subifds(tmp_path: Path, rgb: np.ndarray) -> None:
    levels = [planes(level) for level in levels_of(rgb, 3)]
    with tifffile.TiffWriter(tmp_path / "slide.ome.tif", ome=True) as file:
        layout = {"tile": (TILE, TILE), "photometric": "minisblack", "compression": "lzw"}
        file.write(levels[0], subifds=2, metadata={"axes": "CYX", **SIZE}, **layout)
        for level in levels[1:]:
            file.write(level, subfiletype=1, metadata=None, **layout)
    with open_slide(tmp_path / "slide.ome.tif", slide_id="a") as slide:
        assert [level.downsample for level in slide.levels] == [1, 2, 4]
        half = slide.read_box(0, 0, WIDTH, HEIGHT, width_px=WIDTH // 2, height_px=HEIGHT // 2)
        assert slide.read_box(-9, 250, 99, 99, width_px=99, height_px=99)[:50, 9:].tolist() == rgb[250:, :90].tolist()
    np.testing.assert_array_equal(half, np.moveaxis(levels[1], 0, -1))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(
    ("n", "axes", "words"),
    [
        (3, "ZYXS", "3 focal planes of 420 x 300 px"),
        (2, "TYXS", "2 points in time"),
        (3, "ZYX", "3 focal planes"),
        (5, "CYX", r"5 channels \(DAPI, FITC, Cy3, Cy5, Cy7\)"),
        (4, "CYX", r"4 channels \(DAPI, FITC, Cy3, Cy5\)"),
        (2, "CYX", r"2 channels \(DAPI, FITC\)"),
        (3, "CYX", r"3 channels \(DAPI, FITC, Cy3\) that are not said to be red, green and blue"),
    ],
)
def test_stacks_and_channels_are_refused_however_they_are_stored(
    tmp_path, rgb, layout, n: int, axes: str, words
) -> None:
    channels = {"Channel": {"Name": ["DAPI", "FITC", "Cy3", "Cy5", "Cy7"][:n]}} if "C" in axes else {}
    one = rgb if axes.endswith("S") else rgb[..., 0]
    path = write_ome(tmp_path / "slide.ome.tif", (np.stack([one] * n), axes, channels), **layout)
    with pytest.raises(SlideError, match=rf"slide s1 .*it holds {words}.*Write the one you mean to a file of its own"):
        whole(path)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_channels_with_dyes_or_in_another_order_are_not_rgb(tmp_path: Path, rgb: np.ndarray, layout) -> None:
    for number, channel in enumerate([{"EmissionWavelength": [461, 519, 665]}, {"Name": ["Blue", "Green", "Red"]}]):
        path = write_ome(tmp_path / f"{number}.ome.tif", (planes(rgb), "CYX", {"Channel": channel}), **layout)
        with pytest.raises(SlideError, match="not said to be red, green and blue"):
            whole(path)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_pages_of_one_size_are_refused(tmp_path: Path, rgb: np.ndarray, layout) -> None:
    tifffile.imwrite(tmp_path / "slide.tif", np.stack([rgb, rgb]), photometric="rgb", metadata=None, **layout)
    with pytest.raises(SlideError, match="2 pages of one size of 420 x 300 px"):
        whole(tmp_path / "slide.tif", mpp=0.5)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("name", ["label image", "Macro", "thumbnail of slide", "Overview"])
def test_a_first_image_named_as_a_label_is_not_the_slide(tmp_path: Path, rgb: np.ndarray, layout, name: str) -> None:
    label = {"Name": name, "PhysicalSizeX": 9.0, "PhysicalSizeY": 9.0}
    path = write_ome(tmp_path / "a.ome.tif", (rgb[:90, :70], "YXS", label), (rgb, "YXS", {"Name": "slide"}), **layout)
    np.testing.assert_array_equal(whole(path), rgb)
    with open_slide(path, slide_id="a") as slide:
        assert slide.mpp == 0.5
        assert slide.cautions == (
            f'the first image of the file, "{name}", of 70 x 90 px is left out; the slide is the one of 420 x 300 px',
        )


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_smaller_first_image_without_a_name_stops_with_both_sizes(tmp_path: Path, rgb: np.ndarray, layout) -> None:
    path = write_ome(tmp_path / "a.ome.tif", (rgb[:90, :70], "YXS", {}), (rgb, "YXS", {}), **layout)
    with pytest.raises(SlideError, match="images of 70 x 90 and 420 x 300 px and does not say which is the slide"):
        whole(path)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_images_after_the_slide_change_nothing(tmp_path: Path, rgb: np.ndarray, layout) -> None:
    path = write_ome(tmp_path / "a.ome.tif", (rgb, "YXS", {}), (rgb[:90, :70], "YXS", {"Name": "label"}), **layout)
    np.testing.assert_array_equal(whole(path), rgb)
    with open_slide(path, slide_id="a") as slide:
        assert slide.cautions == ()


def write_pages(path: Path, pages: list[tuple[np.ndarray, int]], **settings: Any) -> Path:
    """A TIFF of tiled pages, each with its mark of being reduced."""
    with tifffile.TiffWriter(path) as file:
        for pixels, mark in pages:
            file.write(pixels, subfiletype=mark, tile=(TILE, TILE), photometric="rgb", metadata=None, **settings)
    return path


def test_the_only_pyramid_is_the_slide(tmp_path: Path, rgb: np.ndarray) -> None:
    """OpenSlide takes the half for level 0, and the label for level 1."""
    half = list(levels_of(rgb, 2))[1]
    path = write_pages(tmp_path / "slide.tif", [(rgb[:90, :70], 0), (rgb, 0), (half, 1)])
    np.testing.assert_array_equal(whole(path, mpp=0.5), rgb)
    with open_slide(path, slide_id="a", mpp=0.5) as slide:
        assert [level.downsample for level in slide.levels] == [1, 2]
        assert "the first image of the file of 70 x 90 px is left out" in slide.cautions[0]
    with pytest.raises(ConfigError, match=r"slide s1 .*reader is openslide.*Set reader: auto"):
        whole(path, mpp=0.5, reader="openslide")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_label_named_so_is_not_the_slide_even_when_it_is_larger(tmp_path: Path, rgb: np.ndarray, layout) -> None:
    macro = np.full((400, 900, 3), 90, np.uint8)
    path = write_ome(tmp_path / "a.ome.tif", (macro, "YXS", {"Name": "macro image"}), (rgb, "YXS", {}), **layout)
    np.testing.assert_array_equal(whole(path), rgb)


def test_the_only_pyramid_is_the_slide_also_before_a_larger_image(tmp_path: Path, rgb: np.ndarray) -> None:
    half, macro = list(levels_of(rgb, 2))[1], np.full((400, 900, 3), 90, np.uint8)
    path = write_pages(tmp_path / "slide.tif", [(rgb, 0), (half, 1), (macro, 0)])
    np.testing.assert_array_equal(whole(path, mpp=0.5), rgb)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_samples_of_an_svs_are_looked_at(tmp_path: Path, rgb: np.ndarray, dtype) -> None:
    words = "Aperio Image Library v12.0.15\n420x300 -> 420x300 JPEG/RGB Q=70|AppMag = 20|MPP = 0.499"
    layout = {"tile": (TILE, TILE), "metadata": None, "description": words, "compression": "deflate"}
    grey = rgb[..., 0].astype(dtype)
    tifffile.imwrite(tmp_path / "slide.svs", grey, photometric="minisblack", **layout)
    assert detect_vendor(tmp_path / "slide.svs") == "aperio"
    if dtype == np.float32:
        with pytest.raises(SlideError, match="its samples are float32"):
            whole(tmp_path / "slide.svs")
        return
    np.testing.assert_array_equal(whole(tmp_path / "slide.svs"), np.repeat(grey[..., None], 3, axis=2))
    with open_slide(tmp_path / "slide.svs", slide_id="a") as slide:
        assert "grey" in slide.cautions[0]


def test_a_first_page_marked_as_reduced_is_not_the_slide(tmp_path: Path, rgb: np.ndarray) -> None:
    half = list(levels_of(rgb, 2))[1]
    path = write_pages(tmp_path / "slide.tif", [(half, 1), (rgb, 0)])
    np.testing.assert_array_equal(whole(path, mpp=0.5), rgb)


@pytest.mark.parametrize("shape", [(40, 500), (320, 430), (500, 40)])
def test_a_larger_overview_is_not_level_0(tmp_path: Path, rgb: np.ndarray, shape: tuple[int, int]) -> None:
    """OpenSlide takes the widest image for level 0, or refuses the file for the order of its levels."""
    half, macro = list(levels_of(rgb, 2))[1], np.full((*shape, 3), 90, np.uint8)
    for pages in ([rgb, half, macro], [rgb, macro, half]):
        path = write_pages(tmp_path / "slide.tif", [(page, int(i > 0)) for i, page in enumerate(pages)])
        np.testing.assert_array_equal(whole(path, mpp=0.5), rgb)
        with open_slide(path, slide_id="a", mpp=0.5) as slide:
            assert [level.downsample for level in slide.levels] == [1, 2]
            assert f"an image of {shape[1]} x {shape[0]} px is stored like a level and left out" in slide.cautions[0]


def test_an_svs_whose_levels_openslide_finds_out_of_order(tmp_path: Path, rgb: np.ndarray) -> None:
    half, macro = list(levels_of(rgb, 2))[1], np.full((100, 400, 3), 90, np.uint8)
    words = "Aperio Image Library v12.0.15\n420x300 -> 420x300 JPEG/RGB Q=70|AppMag = 20|MPP = 0.499"
    with tifffile.TiffWriter(tmp_path / "slide.svs") as file:
        for number, page in enumerate([rgb, half, macro]):
            description = None if number else words
            file.write(page, tile=(TILE, TILE), photometric="rgb", metadata=None, description=description)
    assert detect_vendor(tmp_path / "slide.svs") == "aperio"
    with open_slide(tmp_path / "slide.svs", slide_id="a") as slide:
        assert (slide.vendor, slide.reader, slide.mpp) == ("aperio", "tifffile", 0.499)
        assert [level.downsample for level in slide.levels] == [1, 2]
    np.testing.assert_array_equal(whole(tmp_path / "slide.svs"), rgb)


@pytest.mark.parametrize("kind", ["separate", "subifds", "jpeg", "palette"])
def test_what_openslide_shows_stays_with_it(tmp_path: Path, rgb: np.ndarray, kind: str) -> None:
    path, layout = tmp_path / "slide.tif", {"tile": (TILE, TILE), "metadata": None}
    if kind == "separate":
        tifffile.imwrite(path, planes(rgb), photometric="rgb", planarconfig="separate", **layout)
    elif kind == "subifds":
        with tifffile.TiffWriter(path) as file:
            file.write(rgb, photometric="rgb", subifds=1, **layout)
            file.write(list(levels_of(rgb, 2))[1], photometric="rgb", subfiletype=1, **layout)
    elif kind == "jpeg":
        tifffile.imwrite(path, rgb, photometric="ycbcr", compression="jpeg", **layout)
    else:
        colours = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16) * 257
        tifffile.imwrite(path, rgb[..., 0], photometric="palette", colormap=colours, **layout)
    with tifffile.TiffFile(path) as file:
        image = slide_image(file)
        assert image.openslide_shows_it
        assert image.cautions == ()
    np.testing.assert_array_equal(whole(path, mpp=0.5), whole(path, mpp=0.5, reader="openslide"))


def test_a_file_without_a_usable_image_says_so(tmp_path: Path, rgb: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([rgb, rgb[..., 0]]), photometric="separated", metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file, pytest.raises(UnusableImageError, match="inks"):
        slide_image(file)
