import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.synthetic.painting.domains import TissueClass, draw_domains, layout_of_domains
from pipeline.synthetic.painting.texture import Canvas


def drawn(share: float, agreement: float, *, seed: int = 0, n_cols: int = 20):
    kind = TissueClass("a", share, agreement)
    return draw_domains(kind, 30, n_cols, density_contrast=0.5, rng=np.random.default_rng(seed))


def partners(domains):
    return domains.iloc[::2].reset_index(drop=True), domains.iloc[1::2].reset_index(drop=True)


def test_agreeing_partners_are_alike_and_share_their_density():
    first, second = partners(drawn(0.5, 1.0))
    assert (first["pair"] == second["pair"]).all()
    assert (first["ordered"] == second["ordered"]).all()
    assert (first["axis_rad"] == second["axis_rad"]).all()
    first, second = partners(drawn(0.5, 0.0))
    assert (first["density"] == second["density"]).all()
    assert (first["axis_rad"] != second["axis_rad"]).all()
    assert 0.35 < (first["ordered"] == second["ordered"]).mean() < 0.65


@pytest.mark.parametrize("agreement", [0.0, 1.0])
def test_single_domains_tell_nothing_of_agreement(agreement):
    domains = drawn(0.3, agreement)
    assert 0.22 < domains["ordered"].mean() < 0.38
    assert domains["axis_rad"].between(0, np.pi, inclusive="left").all()
    assert set(np.log(domains["density"]).round(6)) == {-0.5, 0.5}


def test_an_odd_column_has_a_partner_beyond_the_slide():
    domains = drawn(0.5, 1.0, n_cols=3)
    assert len(domains) == 90
    assert domains["domain_col"].max() == 2
    assert domains["pair"].nunique() == 60


def test_cells_of_the_layout_take_after_their_domain():
    domains = drawn(0.5, 0.5, n_cols=4)
    canvas = Canvas(800, 6000, 0.5)
    layout = layout_of_domains(domains, canvas, domain_um=100.0, margin_um=0.0, kappa=8.0, rng=np.random.default_rng(1))
    cell = domains.set_index(["domain_row", "domain_col"]).loc[(7, 2)]
    row, col = int(750 / layout.cell_um), int(250 / layout.cell_um)
    assert layout.axis_rad[row, col] == cell["axis_rad"]
    assert layout.kappa[row, col] == (8.0 if cell["ordered"] else 0.0)


@pytest.mark.parametrize("numbers", [(-0.1, 0.5), (0.5, 1.1)])
def test_shares_are_between_0_and_1(numbers):
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        TissueClass("a", *numbers)
