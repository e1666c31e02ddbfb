import logging
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image

from pipeline.artefacts import tiles as tile_artefact
from pipeline.artefacts.fingerprint import fingerprint
from pipeline.artefacts.inside_mask import InsideMask
from pipeline.artefacts.nuclei import read_nuclei
from pipeline.artefacts.tables import empty_frame, write_table
from pipeline.artefacts.tiles import read_tiles
from pipeline.errors import ArtefactError, ConfigError, DeviceError, SlideError, UnreadableRegionError, WeightsError
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segment_nuclei import segment_nuclei
from pipeline.provenance import record
from pipeline.synthetic.painting.tissue import PaintedTissue

MPP = 0.5


def write_grid(
    path: Path, *, columns: int, rows: int, tile_px: int, kept: bool = True, reason: str | None = None
) -> Path:
    frame = empty_frame(tile_artefact.COLUMNS)
    row, col = (axis.ravel() for axis in np.indices((rows, columns)))
    frame["tile_id"] = np.arange(rows * columns)
    frame["x_l0"], frame["y_l0"], frame["row"], frame["col"] = col * tile_px, row * tile_px, row, col
    frame["width_l0"], frame["tile_px"], frame["mpp"] = float(tile_px), tile_px, MPP
    frame["tissue_fraction"], frame["kept"], frame["reason"] = 1.0, kept, ""
    header = tile_artefact.TileHeader(
        slide_id="s",
        slide_mpp=MPP,
        width_l0=columns * tile_px,
        height_l0=rows * tile_px,
        reason=reason,
        provenance=record(params={"mpp": MPP}, source="t"),
    )
    tile_artefact.write_tiles(path, frame, header)
    return path


def segment(slide: Path, tiles: Path, out: Path, *, params: NucleiParams | None = None, **options: object) -> None:
    settings = {"device": "cpu", "on_bad_slide": "stop", **options}
    segment_nuclei(slide, tiles, out, slide_id="s", params=params or NucleiParams(), source="abc", **settings)


def test_nuclei_of_a_painted_slide(tissue: PaintedTissue, tissue_png: Path, tmp_path: Path) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=5, rows=4, tile_px=64)
    segment(tissue_png, tiles, tmp_path / "n.parquet")
    table = read_nuclei(tmp_path / "n.parquet")
    nuclei = table.frame
    n_painted = len(np.unique(tissue.labels)) - 1
    assert table.reason is None
    assert 0.75 * n_painted < len(nuclei) < 1.2 * n_painted
    assert nuclei["nucleus_id"].tolist() == list(range(len(nuclei)))
    column, row = nuclei["x_um"] / MPP // 64, nuclei["y_um"] / MPP // 64
    assert (nuclei["tile_id"] == row * 5 + column).all()
    # Painted about the x axis: the mean of doubled angles points to 0.
    assert np.cos(2 * nuclei["orientation_rad"]).mean() > 0.6
    areas = shapely.area(shapely.from_wkb(nuclei["contour_um"].to_numpy()))
    assert areas == pytest.approx(nuclei["area_um2"].to_numpy(), rel=0.15)
    assert nuclei.drop(columns="contour_um").notna().all(axis=None)
    header = table.header
    assert (header["slide_mpp"], header["mpp"], header["weights"]) == (MPP, MPP, "he-nuclei-compact")
    assert set(header["provenance"]["upstream"]) == {"tiles", "weights"}


def test_same_bytes_again(tissue_png: Path, tmp_path: Path) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=2, rows=2, tile_px=64)
    for name in "ab":
        segment(tissue_png, tiles, tmp_path / f"{name}.parquet")
    assert len(read_nuclei(tmp_path / "a.parquet").frame) > 5
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert str(tmp_path).encode() not in (tmp_path / "a.parquet").read_bytes()


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.nuclei.segmentation import finished_blocks
from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segment_nuclei import segment_nuclei

slide, tiles, out, state, n_blocks, halo_um, block_px = sys.argv[1:]
finished_blocks.PART_SECONDS = 0.0
add = finished_blocks.FinishedBlocks.add

def add_and_die(finished, owned, until):
    add(finished, owned, until)
    if until >= int(n_blocks):
        os.kill(os.getpid(), signal.SIGKILL)

finished_blocks.FinishedBlocks.add = add_and_die
params = NucleiParams(halo_um=float(halo_um), block_px=int(block_px))
segment_nuclei(slide, tiles, out, slide_id="s", params=params, device="cpu", on_bad_tile="exclude",
               partial_dir=state, source="abc")
"""


@pytest.mark.parametrize(
    ("picture", "grid", "until", "halo_um", "block_px"),
    [
        ("tissue_png", (4, 2), 5, 0.0, 64),
        ("damaged_slide", (4, 2), 5, 0.0, 64),
        ("tissue_png", (5, 4), 4, 4.0, 128),
        ("once_damaged_slide", (5, 4), 4, 4.0, 128),
    ],
)
def test_a_killed_job_goes_on_and_ends_with_the_same_bytes(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    picture: str,
    grid: tuple[int, int],
    until: int,
    halo_um: float,
    block_px: int,
) -> None:
    """Four blocks of 2 x 2 tiles and a column of single tiles, or single tiles only."""
    slide = request.getfixturevalue(picture)
    tiles = write_grid(tmp_path / "t.parquet", columns=grid[0], rows=grid[1], tile_px=64)
    settings = {"params": NucleiParams(halo_um=halo_um, block_px=block_px), "on_bad_tile": "exclude"}
    segment(slide, tiles, tmp_path / "whole.parquet", **settings)
    killed = [sys.executable, "-c", KILLED, slide, tiles, tmp_path / "n.parquet", tmp_path / "state"]
    killed += [str(until), str(halo_um), str(block_px)]
    assert subprocess.run(killed, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "n.parquet").exists()
    parts = list((tmp_path / "state" / "s").glob("*/*.parquet"))
    assert parts
    with caplog.at_level("INFO", logger="abignet.nuclei"):
        segment(slide, tiles, tmp_path / "n.parquet", partial_dir=tmp_path / "state", **settings)
    assert f"goes on after {int(max(parts).stem)} finished blocks of tiles" in caplog.text
    assert (tmp_path / "n.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert not (tmp_path / "state" / "s").exists()


def test_the_state_of_another_job_is_not_used(tissue_png: Path, tmp_path: Path) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=4, rows=2, tile_px=64)
    killed = [sys.executable, "-c", KILLED, tissue_png, tiles, tmp_path / "n.parquet", tmp_path / "state"]
    killed += ["5", "0", "64"]
    subprocess.run(killed, check=False)
    params = NucleiParams(halo_um=0.0, min_area_um2=30.0)
    for name, state in (("a", None), ("b", tmp_path / "state")):
        segment(tissue_png, tiles, tmp_path / f"{name}.parquet", params=params, partial_dir=state)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_no_kept_tile_passes_the_reason_on(tmp_path: Path) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=1, rows=1, tile_px=64, kept=False, reason="no tissue found")
    segment(tmp_path / "never opened.svs", tiles, tmp_path / "n.parquet")
    table = read_nuclei(tmp_path / "n.parquet")
    assert table.frame.empty
    assert table.reason == "no tissue found"


def test_no_nucleus_is_a_reason(tmp_path: Path) -> None:
    Image.new("RGB", (128, 64), "white").save(tmp_path / "white.png")
    tiles = write_grid(tmp_path / "t.parquet", columns=2, rows=1, tile_px=64)
    segment(tmp_path / "white.png", tiles, tmp_path / "n.parquet")
    assert read_nuclei(tmp_path / "n.parquet").reason == "no nucleus found in 2 tiles"


def test_bad_slide_stops_or_is_excluded(tmp_path: Path, tiny_weights_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    tiles = write_grid(tmp_path / "t.parquet", columns=1, rows=1, tile_px=64)
    params = NucleiParams(weights=str(tiny_weights_path))
    with pytest.raises(SlideError, match=r"bad\.png"):
        segment(bad, tiles, tmp_path / "n.parquet", params=params)
    assert not (tmp_path / "n.parquet").exists()
    segment(bad, tiles, tmp_path / "n.parquet", params=params, on_bad_slide="exclude")
    table = read_nuclei(tmp_path / "n.parquet")
    assert table.frame.empty
    assert table.reason is not None
    assert "bad.png" in table.reason
    assert str(tmp_path) not in table.reason


@pytest.mark.parametrize("reader", ["auto", "openslide"])
def test_bad_tiles_stop_or_are_left_out_by_name(damaged_slide: Path, tmp_path: Path, reader: str) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=4, rows=2, tile_px=64)
    params = NucleiParams(halo_um=0.0)
    with pytest.raises(UnreadableRegionError, match="on_bad_tile: exclude"):
        segment(damaged_slide, tiles, tmp_path / "n.parquet", params=params, reader=reader)
    segment(damaged_slide, tiles, tmp_path / "n.parquet", params=params, reader=reader, on_bad_tile="exclude")
    table = read_nuclei(tmp_path / "n.parquet")
    assert table.header["unreadable_tiles"] == [1, 5, 6]
    assert table.header["reader"] == ("tifffile" if reader == "auto" else "openslide")
    assert set(table.frame["tile_id"]) == {0, 2, 3, 4, 7}
    assert table.reason is None


def test_a_damaged_block_loses_the_tiles_that_it_loses_one_by_one(once_damaged_slide: Path, tmp_path: Path) -> None:
    """With a halo the damage reaches the six tiles around; two blocks of 2 x 2 tiles see it, one keeps two tiles."""
    tiles = write_grid(tmp_path / "t.parquet", columns=5, rows=4, tile_px=64)
    frames = []
    for block_px in (64, 128):
        params = NucleiParams(halo_um=4.0, block_px=block_px)
        with pytest.raises(UnreadableRegionError):
            segment(once_damaged_slide, tiles, tmp_path / "n.parquet", params=params)
        segment(once_damaged_slide, tiles, tmp_path / "n.parquet", params=params, on_bad_tile="exclude")
        table = read_nuclei(tmp_path / "n.parquet")
        assert table.header["unreadable_tiles"] == [0, 1, 2, 5, 6, 7]
        assert table.frame["tile_id"].is_monotonic_increasing
        frames.append(table.frame[table.frame["tile_id"].isin([3, 8])])
    assert len(frames[0]) > 2
    assert frames[1]["x_um"].tolist() == frames[0]["x_um"].tolist()


def test_a_slide_of_bad_tiles_only_says_so(damaged_slide: Path, tmp_path: Path) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=4, rows=2, tile_px=64)
    table = read_tiles(tiles)
    write_table(
        tiles, table.frame.assign(kept=table.frame["tile_id"].isin([5, 6])), tile_artefact.COLUMNS, table.header
    )
    segment(damaged_slide, tiles, tmp_path / "n.parquet", params=NucleiParams(halo_um=0.0), on_bad_tile="exclude")
    assert read_nuclei(tmp_path / "n.parquet").reason == "no nucleus found in 0 tiles, and 2 cannot be read"


def test_tiles_that_overlap_are_refused(tissue_png: Path, tiny_weights_path: Path, tmp_path: Path) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=2, rows=1, tile_px=64)
    table = read_tiles(tiles)
    write_table(tiles, table.frame.assign(x_l0=[0, 48]), tile_artefact.COLUMNS, table.header)
    with pytest.raises(ConfigError, match="slide s: tiles 0 and 1 overlap"):
        segment(tissue_png, tiles, tmp_path / "n.parquet", params=NucleiParams(weights=str(tiny_weights_path)))


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
def test_normalised_nuclei_are_those_of_the_slide_in_other_colours(
    tissue_png: Path, tmp_path: Path, method: str
) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=2, rows=2, tile_px=64)
    for name, params in (("plain", NucleiParams()), ("normal", NucleiParams(stain_normalisation=method))):
        segment(tissue_png, tiles, tmp_path / f"{name}.parquet", params=params)
    plain, normal = (read_nuclei(tmp_path / f"{name}.parquet") for name in ("plain", "normal"))
    assert normal.header["provenance"]["params"]["stain_normalisation"] == method
    assert len(normal.frame) == pytest.approx(len(plain.frame), rel=0.15)
    assert abs(normal.frame["mean_grey"].mean() - plain.frame["mean_grey"].mean()) > 3
    segment(tissue_png, tiles, tmp_path / "again.parquet", params=NucleiParams(stain_normalisation=method))
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "normal.parquet").read_bytes()


def test_missing_weights_are_an_error_even_without_tiles(tmp_path: Path) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=1, rows=1, tile_px=64, kept=False, reason="no tissue found")
    with pytest.raises(WeightsError, match="'cyto3': no such file"):
        segment(tmp_path / "s.png", tiles, tmp_path / "n.parquet", params=NucleiParams(weights="cyto3"))


def test_missing_cuda(
    tissue_png: Path, tiny_weights_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    tiles = write_grid(tmp_path / "t.parquet", columns=1, rows=1, tile_px=64)
    params = NucleiParams(weights=str(tiny_weights_path))
    with pytest.raises(DeviceError, match="cuda was asked for"):
        segment(tissue_png, tiles, tmp_path / "n.parquet", params=params, device="cuda")


def test_a_job_killed_while_bad_tiles_were_left_out_does_not_end_without_them_under_stop(
    damaged_slide: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the user wants done about damage is part of what a result depends on."""
    tiles = write_grid(tmp_path / "t.parquet", columns=4, rows=2, tile_px=64)
    arguments = [damaged_slide, tiles, tmp_path / "n.parquet", tmp_path / "state", 5, 0.0, 64]
    killed = subprocess.run([sys.executable, "-c", KILLED, *map(str, arguments)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert list((tmp_path / "state").rglob("*.parquet"))
    with caplog.at_level(logging.INFO), pytest.raises(SlideError):
        segment(
            damaged_slide,
            tiles,
            tmp_path / "n.parquet",
            params=NucleiParams(halo_um=0.0, block_px=64),
            on_bad_tile="stop",
            partial_dir=tmp_path / "state",
        )
    assert "not gone on from" in caplog.text
    assert not (tmp_path / "n.parquet").exists()


@pytest.mark.parametrize("of_this_file", [True, False])
def test_a_slide_that_is_not_the_one_that_was_tiled_is_refused(
    tissue_png: Path, tmp_path: Path, of_this_file: bool
) -> None:
    tiles = write_grid(tmp_path / "t.parquet", columns=1, rows=1, tile_px=64)
    table = read_tiles(tiles)
    upstream = {"slide": fingerprint(tissue_png) if of_this_file else "0123456789abcdef"}
    header = {**table.header, "provenance": {**table.header["provenance"], "upstream": upstream}}
    write_table(tiles, table.frame, tile_artefact.COLUMNS, header)
    if of_this_file:
        segment(tissue_png, tiles, tmp_path / "n.parquet", params=NucleiParams(segmenter="watershed"))
        assert (tmp_path / "n.parquet").exists()
        return
    with pytest.raises(ArtefactError, match=r"slide s .*fingerprint 0123456789abcdef.*found another.*Tile the slide"):
        segment(tissue_png, tiles, tmp_path / "n.parquet", params=NucleiParams(segmenter="watershed"))


def masked_grid(path: Path, cells: np.ndarray) -> Path:
    """A grid of 5 x 4 tiles of 64 px on a slide that a drawn mask restricts to ``cells``."""
    table = read_tiles(write_grid(path, columns=5, rows=4, tile_px=64))
    header = {**table.header, "inside": InsideMask(cells, 320, 256).plain()}
    write_table(path, table.frame, tile_artefact.COLUMNS, header)
    return path


def test_nuclei_outside_a_drawn_mask_belong_to_no_tile_and_those_inside_are_whole(
    tissue_png: Path, tmp_path: Path
) -> None:
    params = NucleiParams(segmenter="watershed")
    segment(
        tissue_png,
        write_grid(tmp_path / "t.parquet", columns=5, rows=4, tile_px=64),
        tmp_path / "a.parquet",
        params=params,
    )
    everywhere = read_nuclei(tmp_path / "a.parquet").frame
    cells = np.ones((256, 320), bool)
    cells[:, 200:] = False
    segment(tissue_png, masked_grid(tmp_path / "m.parquet", cells), tmp_path / "b.parquet", params=params)
    inside = read_nuclei(tmp_path / "b.parquet").frame
    assert (inside["x_um"] < 200 * MPP).all()
    expected = everywhere[everywhere["x_um"] < 200 * MPP]
    assert len(inside) == pytest.approx(len(expected), abs=2)
    assert 0 < len(inside) < len(everywhere)


@pytest.mark.parametrize("outside", [(0, 0, 0), (90, 20, 120), (250, 250, 250)])
def test_what_lies_outside_a_drawn_mask_does_not_tell_the_stain(
    tissue: PaintedTissue, tmp_path: Path, outside: tuple[int, int, int]
) -> None:
    """Nuclei further from what is painted over than a halo are the same whatever its colour."""
    cells = np.ones((256, 320), bool)
    cells[:, 192:] = False
    painted = tissue.rgb.copy()
    painted[:, 240:] = outside
    tables = []
    for number, rgb in enumerate((tissue.rgb, painted)):
        Image.fromarray(rgb).save(tmp_path / "a.png")
        out = tmp_path / f"{number}.parquet"
        tiles = masked_grid(tmp_path / "m.parquet", cells)
        segment(tmp_path / "a.png", tiles, out, params=NucleiParams(segmenter="watershed"))
        tables.append(read_nuclei(out).frame)
    same = ["x_um", "y_um", "area_um2", "mean_haematoxylin"]
    pd.testing.assert_frame_equal(*(table.loc[table["x_um"] < 70, same].reset_index(drop=True) for table in tables))


def test_a_slide_with_nothing_inside_its_drawn_mask_has_no_nucleus(tissue_png: Path, tmp_path: Path) -> None:
    tiles = masked_grid(tmp_path / "m.parquet", np.zeros((8, 10), bool))
    segment(tissue_png, tiles, tmp_path / "n.parquet", params=NucleiParams(segmenter="watershed"))
    assert read_nuclei(tmp_path / "n.parquet").reason == "no nucleus found in 20 tiles"
