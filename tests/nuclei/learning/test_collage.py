import numpy as np
import pytest

from pipeline.nuclei.learning import collage as module
from pipeline.nuclei.learning.augmentation import OutlinedImage, rescaled
from pipeline.nuclei.learning.collage import cleared_canvas, collage, collages, cutouts
from pipeline.nuclei.learning.restaining import hed_from_rgb
from pipeline.nuclei.stain.stain_channels import StainScale, estimate_stain_scale, haematoxylin
from pipeline.synthetic.painting.tissue import PaintedTissue

PINK, PURPLE = (225, 150, 190), (90, 60, 140)


def ellipses(*centres: tuple[int, int]) -> OutlinedImage:
    """Purple ellipses of 20 x 10 px along x on pink."""
    rows, cols = np.mgrid[:80, :120]
    labels = np.zeros(rows.shape, np.int32)
    for number, (row, col) in enumerate(centres, start=1):
        labels[((cols - col) / 10) ** 2 + ((rows - row) / 5) ** 2 <= 1] = number
    rgb = np.where(labels[..., None] > 0, PURPLE, PINK).astype(np.uint8)
    return OutlinedImage(rgb, labels, StainScale(0.0, 1.0))


def pink_canvas(side: int = 200) -> np.ndarray:
    return np.full((side, side, 3), PINK, np.uint8)


def test_cutouts_are_whole_nuclei() -> None:
    image = ellipses((20, 30), (60, 60), (40, 3))
    nuclei = cutouts(image)
    assert [int(nucleus.mask.sum()) for nucleus in nuclei] == [int((image.labels == number).sum()) for number in (1, 2)]
    assert nuclei[0].axis_rad == pytest.approx(0, abs=1e-6)
    assert nuclei[0].density[nuclei[0].mask] == pytest.approx(1, abs=1e-4)
    assert cutouts(ellipses()) == []


def test_a_canvas_loses_its_nuclei() -> None:
    image = ellipses((20, 30), (60, 60), (30, 90))
    cleared = cleared_canvas(image.rgb)
    stain = haematoxylin(cleared)
    assert np.abs(stain[image.labels > 0] - haematoxylin(pink_canvas(1)).item()).max() < 0.1


def test_nuclei_of_a_collage_are_dark_where_their_labels_are() -> None:
    nuclei = cutouts(ellipses((20, 30), (60, 60)))
    for seed in range(5):
        rgb, labels = collage(pink_canvas(), nuclei, 128, np.random.default_rng(seed))
        stain = haematoxylin(rgb)
        assert rgb.shape == (128, 128, 3)
        assert labels.max() > 3
        assert stain[labels > 0].mean() > stain[labels == 0].mean() + 0.2


def test_none_is_laid_on_glass_but_few() -> None:
    canvas = pink_canvas(128)
    canvas[:, 64:] = 245
    nuclei = cutouts(ellipses((20, 30)))
    left = right = 0
    for seed in range(6):
        _, labels = collage(canvas, nuclei, 128, np.random.default_rng(seed))
        sides = sorted([len(np.unique(labels[:, :54])), len(np.unique(labels[:, 74:]))])
        left, right = left + sides[0], right + sides[1]
    assert left < 0.35 * right


def test_same_seed_same_collages(tissue: PaintedTissue) -> None:
    images = [rescaled(tissue.rgb, tissue.labels, 16.0)]
    first, again = (collages(images, pink_canvas(), 2, 96, seed=3) for _ in range(2))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].rgb, first[1].rgb)


def bar(angle_rad: float, *, length: float = 30.0, width: float = 8.0, side: int = 64) -> OutlinedImage:
    """One purple bar on pink whose axis lies at this angle from +x towards +y."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    along, across = x * np.cos(angle_rad) + y * np.sin(angle_rad), y * np.cos(angle_rad) - x * np.sin(angle_rad)
    labels = ((np.abs(along) < length / 2) & (np.abs(across) < width / 2)).astype(np.int32)
    rgb = np.where(labels[..., None] > 0, PURPLE, PINK).astype(np.uint8)
    return OutlinedImage(rgb, labels, StainScale(0.0, 1.0))


def axis_of(mask: np.ndarray) -> float:
    rows, cols = np.nonzero(mask)
    spread = np.cov(cols, rows)
    return float(0.5 * np.arctan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1]))


@pytest.mark.parametrize("angle_rad", [-1.2, -0.4, 0.3, 1.1])
def test_the_axis_of_a_cutout_runs_from_x_towards_y(angle_rad: float) -> None:
    (nucleus,) = cutouts(bar(angle_rad))
    assert nucleus.axis_rad == pytest.approx(angle_rad, abs=0.03)
    rows, cols = np.nonzero(nucleus.mask)
    assert nucleus.centre_xy == pytest.approx((cols.mean(), rows.mean()))


def test_density_is_of_the_densest_and_goes_on_beyond_the_outline() -> None:
    image = bar(0.0)
    image.rgb[:, :32][image.labels[:, :32] > 0] = (165, 110, 168)
    (nucleus,) = cutouts(image)
    left, right = nucleus.density[:, :10], nucleus.density[:, -10:]
    assert left == pytest.approx(left[0, 0])
    assert 0.2 < left[0, 0] < 0.9
    assert right == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("border", "n_nuclei"), [("top", 0), ("left", 0), ("bottom", 0), ("right", 0), ("none", 1)])
def test_what_the_border_cuts_is_no_cutout(border: str, n_nuclei: int) -> None:
    labels = np.zeros((30, 40), np.int32)
    corner = {"top": (0, 10), "left": (10, 0), "bottom": (20, 10), "right": (10, 30), "none": (10, 10)}[border]
    labels[corner[0] : corner[0] + 10, corner[1] : corner[1] + 10] = 1
    rgb = np.where(labels[..., None] > 0, PURPLE, PINK).astype(np.uint8)
    assert len(cutouts(OutlinedImage(rgb, labels, StainScale(0, 1)))) == n_nuclei


@pytest.mark.parametrize(("width", "n_nuclei"), [(5, 0), (6, 1)])
def test_small_pieces_are_no_cutouts(width: int, n_nuclei: int) -> None:
    """25 and 30 pixels of which 30 are needed."""
    labels = np.zeros((20, 20), np.int32)
    labels[5:10, 5 : 5 + width] = 1
    rgb = np.where(labels[..., None] > 0, PURPLE, PINK).astype(np.uint8)
    assert len(cutouts(OutlinedImage(rgb, labels, StainScale(0, 1)))) == n_nuclei


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nuclei of their own size and unit density on the canvas as it is, without veil."""
    for name in ("DENSITY", "SIZE", "CANVAS_GAIN"):
        monkeypatch.setattr(module, name, (1.0, 1.0))
    for name in ("DENSITY_LOG_SD", "SIZE_LOG_SD", "VEIL"):
        monkeypatch.setattr(module, name, 0.0)
    return monkeypatch


def laid(monkeypatch: pytest.MonkeyPatch, *places: tuple[float, float, float], side: int = 128) -> np.ndarray:
    monkeypatch.setattr(module, "_places", lambda size_px, generator: np.array(places))
    _, labels = collage(pink_canvas(), cutouts(bar(0.7)), side, np.random.default_rng(0))
    return labels


@pytest.mark.parametrize("angle_rad", [-0.9, 0.0, 0.5, 1.3])
def test_a_nucleus_lies_where_it_is_laid_and_turned_as_asked(placed: pytest.MonkeyPatch, angle_rad: float) -> None:
    labels = laid(placed, (40.0, 70.0, angle_rad))
    rows, cols = np.nonzero(labels)
    assert (cols.mean(), rows.mean()) == pytest.approx((40, 70), abs=1.5)
    assert axis_of(labels > 0) == pytest.approx(angle_rad, abs=0.05)
    assert (labels > 0).sum() == pytest.approx((bar(0.7).labels > 0).sum(), rel=0.1)


def test_size_is_a_factor_on_the_sides(placed: pytest.MonkeyPatch) -> None:
    placed.setattr(module, "SIZE", (1.5, 1.5))
    area = (laid(placed, (64.0, 64.0, 0.3)) > 0).sum()
    assert area == pytest.approx(2.25 * (bar(0.7).labels > 0).sum(), rel=0.1)


def test_a_later_nucleus_lies_under_an_earlier_one_and_is_left_out_where_too_much_is_hidden(
    placed: pytest.MonkeyPatch,
) -> None:
    alone = laid(placed, (60.0, 60.0, 0.0))
    beside = laid(placed, (60.0, 60.0, 0.0), (60.0, 66.0, 0.0))  # 2 of 8 rows are hidden
    assert beside.max() == 2
    assert np.array_equal(beside == 1, alone == 1)
    assert laid(placed, (60.0, 60.0, 0.0), (60.0, 63.0, 0.0)).max() == 1  # 5 of 8 rows would be


@pytest.mark.parametrize("place", [(2.0, 60.0), (126.0, 60.0), (60.0, 1.0), (60.0, 127.0), (-100.0, 60.0)])
def test_the_border_of_the_picture_cuts_nuclei(placed: pytest.MonkeyPatch, place: tuple[float, float]) -> None:
    labels = laid(placed, (*place, 0.4))
    assert labels.shape == (128, 128)
    assert (labels > 0).sum() < 0.8 * (bar(0.7).labels > 0).sum()
    assert (labels.max() == 0) == (place[0] < -50)


def test_density_is_a_factor_on_haematoxylin_and_eosin_gives_way(placed: pytest.MonkeyPatch) -> None:
    placed.setattr(module, "_places", lambda size_px, generator: np.array([(64.0, 64.0, 0.0)]))
    placed.setattr(module, "DENSITY", (2.0, 2.0))
    rgb, _ = collage(pink_canvas(), cutouts(bar(0.0, width=14.0)), 128, np.random.default_rng(0))
    under, middle = hed_from_rgb(pink_canvas(1))[0, 0], hed_from_rgb(rgb)[64, 64]
    assert middle[0] == pytest.approx(2.0 + 0.75 * under[0], abs=0.05)
    assert middle[1] == pytest.approx(0.4 * under[1], abs=0.05)
    assert hed_from_rgb(rgb)[5, 5] == pytest.approx(under, abs=0.02)


def test_canvases_are_taken_where_there_is_tissue(placed: pytest.MonkeyPatch) -> None:
    """Tissue in a corner of a canvas of glass."""
    placed.setattr(module, "_places", lambda size_px, generator: np.empty((0, 3)))
    canvas = np.full((220, 220, 3), 250, np.uint8)
    canvas[100:, 100:] = PINK
    for seed in range(6):
        rgb, labels = collage(canvas, cutouts(bar(0.0)), 100, np.random.default_rng(seed))
        assert not labels.any()
        assert (hed_from_rgb(rgb)[..., :2].sum(axis=2) > 0.05).mean() > 0.45


def only(monkeypatch: pytest.MonkeyPatch, **numbers: tuple[int, int]) -> None:
    """Of scattered nuclei, rows and clusters a picture has these numbers."""
    for name in ("N_SCATTERED", "N_ROWS", "N_CLUSTERS"):
        monkeypatch.setattr(module, name, numbers.get(name, (0, 1)))


def laid_at(monkeypatch: pytest.MonkeyPatch, seed: int, size_px: int = 400) -> np.ndarray:
    """Places (n, 3) that nuclei are laid at."""
    places = []
    monkeypatch.setattr(module, "_paste", lambda *laid: places.append((laid[3].x, laid[3].y, laid[3].angle_rad)))
    collage(pink_canvas(size_px), cutouts(bar(0.0)), size_px, np.random.default_rng(seed))
    return np.array(places)


def test_nuclei_of_a_row_stand_across_it(placed: pytest.MonkeyPatch) -> None:
    """One layer along an arc: steps of one length that turn by one angle, and axes at right angles to them."""
    only(placed, N_ROWS=(1, 2))
    placed.setattr(module, "ROW_DEPTHS_PX", (0,))
    placed.setattr(module, "ROW_AXIS_SD", 0.0)
    pitches = []
    for seed in range(8):
        row = laid_at(placed, seed)
        steps = np.diff(row[:, :2], axis=0)
        pitch, direction = np.hypot(*steps.T), np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
        assert 10 <= len(row) < 60
        assert pitch == pytest.approx(pitch[0])
        assert np.diff(direction) == pytest.approx(np.diff(direction)[0], abs=1e-6)
        assert abs(np.diff(direction)[0]) <= 0.01 * pitch[0]
        assert np.cos(row[1:, 2] - direction) == pytest.approx(0, abs=1e-6)
        pitches.append(pitch[0])
    assert 4 <= min(pitches) < 7
    assert 10 < max(pitches) <= 13


def test_layers_of_a_row_lie_beside_it(placed: pytest.MonkeyPatch) -> None:
    only(placed, N_ROWS=(1, 2))
    for name, value in (
        ("ROW_DEPTHS_PX", (20,)),
        ("ROW_AXIS_SD", 0.0),
        ("ROW_BEND", 0.0),
        ("ROW_PITCH_PX", (5.0, 5.0)),
    ):
        placed.setattr(module, name, value)
    row = laid_at(placed, 1)
    axis = row[0, 2]
    along, across = np.array([np.sin(axis), -np.cos(axis)]), np.array([np.cos(axis), np.sin(axis)])
    assert np.abs(np.diff(row[:, :2] @ along)) == pytest.approx(5)
    assert 12 < np.ptp(row[:, :2] @ across) <= 20


def test_clusters_grow_with_their_nuclei_and_share_an_axis(placed: pytest.MonkeyPatch) -> None:
    only(placed, N_CLUSTERS=(1, 2))
    placed.setattr(module, "CLUSTER_PITCH_PX", (6.0, 6.0))
    placed.setattr(module, "CLUSTER_AXIS_SD", (0.2, 0.2))
    ratios, turns = [], []
    for seed in range(20):
        cluster = laid_at(placed, seed)
        ratios.append(cluster[:, :2].std(axis=0, ddof=1).mean() / np.sqrt(len(cluster)))
        turns.append(cluster[:, 2].std(ddof=1))
    assert np.mean(ratios) == pytest.approx(6, rel=0.1)
    assert np.mean(turns) == pytest.approx(0.2, rel=0.1)


def test_scattered_nuclei_lie_anywhere_and_any_way(placed: pytest.MonkeyPatch) -> None:
    only(placed, N_SCATTERED=(150, 151))
    places = laid_at(placed, 0)
    assert places.shape == (150, 3)
    assert places.min(axis=0) == pytest.approx([0, 0, 0], abs=12)
    assert places.max(axis=0) == pytest.approx([400, 400, np.pi], abs=12)
    assert places[:, 2].max() < np.pi


def test_each_collage_has_its_own_seed_and_its_own_scale(tissue: PaintedTissue) -> None:
    images = [rescaled(tissue.rgb, tissue.labels, 16.0)]
    many, few = collages(images, pink_canvas(), 3, 96, seed=3), collages(images, pink_canvas(), 1, 96, seed=3)
    assert np.array_equal(many[0].rgb, few[0].rgb)
    other = collages(images, pink_canvas(), 1, 96, seed=4)
    assert not np.array_equal(few[0].rgb, other[0].rgb)
    assert many[1].stain == estimate_stain_scale([many[1].rgb])
    assert many[1].stain != many[2].stain
