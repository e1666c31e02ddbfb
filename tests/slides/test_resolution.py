import pytest

from pipeline.slides.resolution import is_square, ome_mpp, plausible_mpp

OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    "<Image><Pixels {} /></Image></OME>"
)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('PhysicalSizeX="0.25" PhysicalSizeY="0.26"', (0.25, 0.26)),
        ('PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.00025" PhysicalSizeYUnit="mm"', (0.25, 0.25)),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1" PhysicalSizeYUnit="pixel"', None),
        ('PhysicalSizeX="0.25"', None),
        ("", None),
    ],
)
def test_ome_units(attributes: str, expected: tuple[float, float] | None) -> None:
    found = ome_mpp(OME.format(attributes))
    assert found == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize("description", [None, "", "Aperio Image Library", "<OME broken"])
def test_no_ome(description: str | None) -> None:
    assert ome_mpp(description) is None


@pytest.mark.parametrize("dpi", [72, 96, 300, 600])
def test_dpi_of_screens_and_printers_is_not_plausible(dpi: int) -> None:
    assert plausible_mpp((25_400 / dpi, 25_400 / dpi)) is None


@pytest.mark.parametrize("mpp", [0.1, 0.2525, 0.5, 1.0, 8.0])
def test_microscopes_are_plausible(mpp: float) -> None:
    assert plausible_mpp((mpp, mpp)) == (mpp, mpp)


def test_square_within_one_per_cent() -> None:
    assert is_square((0.25, 0.2524))
    assert not is_square((0.25, 0.2526))
    assert plausible_mpp((float("nan"), 0.5)) is None
