import pytest

from pipeline.slides.resolution import is_square, ome_mpp, ome_objective_power, same_mpp, stated_number, tiff_mpp

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


def test_square_within_one_per_cent() -> None:
    assert is_square((0.25, 0.2524))
    assert not is_square((0.25, 0.2526))


@pytest.mark.parametrize(("other", "is_same"), [(0.485, False), (0.486, True), (0.5149, True), (0.516, False)])
def test_same_within_three_per_cent(other: float, is_same: bool) -> None:
    assert same_mpp(0.5, other) is same_mpp(other, 0.5) is is_same


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (("20000", "10000", "centimeter"), (0.5, 1.0)),
        (("50800", "50800", "inch"), (0.5, 0.5)),
        (("72", "72", "none"), None),
        (("0", "72", "inch"), None),
        (("nan", "72", "inch"), None),
        (("72", None, "inch"), None),
        ((None, None, None), None),
    ],
)
def test_resolution_of_tiff(stated: tuple[str | None, ...], expected: tuple[float, float] | None) -> None:
    assert tiff_mpp(*stated) == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize(
    ("attribute", "power"), [('NominalMagnification="40.0"', 40.0), ("", None), ('NominalMagnification="x"', None)]
)
def test_objective_of_ome(attribute: str, power: float | None) -> None:
    assert ome_objective_power(f'<OME xmlns="a"><Instrument><Objective {attribute}/></Instrument></OME>') == power
    assert ome_objective_power(f"<OME><Objective {attribute}/></OME>") == power
    assert ome_objective_power(OME.format("")) is None


@pytest.mark.parametrize(("text", "value"), [("2.5", 2.5), ("-1", None), ("inf", None), ("", None), (None, None)])
def test_numbers_as_files_write_them(text: str | None, value: float | None) -> None:
    assert stated_number(text) == value
