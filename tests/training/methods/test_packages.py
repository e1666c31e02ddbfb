import pytest

from pipeline.errors import MissingPackageError
from pipeline.training.methods import packages
from pipeline.training.methods.packages import require_package, usable_methods
from pipeline.training.methods.presets import METHODS


@pytest.fixture
def without_torchmil(monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)


@pytest.mark.usefixtures("without_torchmil")
def test_a_method_without_its_package_says_how_to_install_it():
    with pytest.raises(MissingPackageError, match=r"method dsmil: .* torchmil, .* pip install 'abignet.mil"):
        require_package(METHODS["dsmil"])
    require_package(METHODS["default"])


@pytest.mark.usefixtures("without_torchmil")
def test_the_rest_can_be_used():
    usable, lacking = usable_methods()
    assert set(usable) | set(lacking) == set(METHODS)
    assert lacking == dict.fromkeys(("abmil", "clam_sb", "dsmil", "transmil", "gtp"), "torchmil")
    assert "patch_gcn" in usable
