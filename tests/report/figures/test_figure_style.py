import io
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from PIL import Image

from pipeline.report.figures.figure_style import (
    CATEGORICAL,
    GRID,
    INK,
    Figure,
    canvas,
    colours_of,
    figure_files,
    house_style,
    inline_svg,
    picture_canvas,
    plot_figure,
    png_bytes,
    single_plot,
    svg_bytes,
)


def plotted() -> bytes:
    with house_style():
        drawn: Canvas = canvas(3, 2)
        drawn.subplots().plot([0, 1], [0, 1], marker="o", label="line")
        return svg_bytes(drawn)


def test_svg_is_the_same_every_time_and_undated() -> None:
    assert plotted() == plotted()
    assert b"<dc:date>" not in plotted()
    assert mpl.__version__.encode() not in plotted()


def test_the_users_own_settings_change_nothing() -> None:
    before = plotted()
    with mpl.rc_context({"lines.linewidth": 9.0, "font.size": 20.0, "axes.grid": False}):
        assert plotted() == before
        assert mpl.rcParams["lines.linewidth"] == 9.0


def test_inline_svg_takes_the_pages_colours_and_names_its_ids() -> None:
    text = inline_svg(Figure("plot", "svg", plotted(), "", ""))
    assert text.startswith("<svg")
    assert INK not in text
    assert GRID not in text
    assert "currentColor" in text
    assert "<metadata>" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert ids
    assert all(name.startswith("plot-") for name in ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


def test_a_plot_becomes_a_figure_in_the_house_style() -> None:
    drawn, axes = single_plot(3, 2)
    axes.plot([0, 1], [0, 1], marker="o", label="$line$")
    axes.legend()
    figure = plot_figure("plot", drawn, "a caption", "a description")
    assert (figure.name, figure.kind, figure.formats) == ("plot", "svg", ("svg", "png", "pdf"))
    assert (figure.caption, figure.alt) == ("a caption", "a description")
    size = re.search(rb'width="([\d.]+)pt" height="([\d.]+)pt"', figure.content)
    assert size is not None
    assert (float(size[1]), float(size[2])) == (3 * 72, 2 * 72)


def test_a_plot_has_files_for_print_and_what_it_shows() -> None:
    drawn, axes = single_plot(3, 2)
    axes.plot([0, 1], [0, 1])
    figure = plot_figure("plot", drawn, "", "", pd.DataFrame({"x": [0.5, 1 / 3]}))
    files = figure_files(figure)
    assert set(files) == {"plot.svg", "plot.png", "plot.pdf", "plot.csv"}
    assert files["plot.csv"] == b"x\n0.5\n0.333333333\n"
    assert files["plot.pdf"].startswith(b"%PDF")
    with Image.open(io.BytesIO(files["plot.png"])) as picture:
        assert picture.size == (900, 600)
        assert picture.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)
    assert figure_files(figure) == files
    assert figure_files(Figure("p", "png", b"pixels", "", "")) == {"p.png": b"pixels"}


def test_pictures_keep_their_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (30, 50, 3)).astype(np.uint8)
    with house_style():
        figure, _ = picture_canvas(pixels)
        content = png_bytes(figure)
    assert (np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) == pixels).all()
    assert b"Software" not in content


def test_colours_repeat_after_the_last() -> None:
    colours = colours_of([str(number) for number in range(len(CATEGORICAL) + 1)])
    assert colours["0"] == colours[str(len(CATEGORICAL))] != colours["1"]
