import pytest
import torch

from pipeline.errors import ArtefactError
from pipeline.training.fitting.checkpoint import read_model, write_no_model

CPU = torch.device("cpu")


class Malicious:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code was run')",))


def test_a_missing_or_foreign_file_says_so(tmp_path):
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_model(tmp_path / "none.pt", CPU)
    (tmp_path / "text.pt").write_text("not a model")
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_model(tmp_path / "text.pt", CPU)
    torch.save({"state": {}}, tmp_path / "other.pt")
    with pytest.raises(ArtefactError, match="another torch file"):
        read_model(tmp_path / "other.pt", CPU)


def test_another_version_is_refused(tmp_path):
    torch.save({"kind": "model", "format_version": 99}, tmp_path / "model.pt")
    with pytest.raises(ArtefactError, match=r"version 3, found 99"):
        read_model(tmp_path / "model.pt", CPU)


def test_a_model_without_its_parts_is_refused(tmp_path):
    torch.save({"kind": "model", "format_version": 1}, tmp_path / "model.pt")
    with pytest.raises(ArtefactError, match="damaged"):
        read_model(tmp_path / "model.pt", CPU)


def test_code_in_a_file_is_not_run(tmp_path):
    torch.save({"kind": Malicious()}, tmp_path / "model.pt")
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_model(tmp_path / "model.pt", CPU)


def test_the_file_of_a_job_that_trained_nothing_says_why(tmp_path):
    write_no_model(tmp_path / "model.pt", reason="nothing to test", source="s")
    with pytest.raises(ArtefactError, match=r"holds no model: nothing to test\."):
        read_model(tmp_path / "model.pt", CPU)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_model_of_this_version_must_have_its_seal(tmp_path, sealed):
    write_no_model(tmp_path / "model.pt", reason="nothing to test", source="s")
    if not sealed:
        torch.save(torch.load(tmp_path / "model.pt", weights_only=True), tmp_path / "model.pt")
    with pytest.raises(ArtefactError, match="holds no model" if sealed else "carries a digest of itself, and this one"):
        read_model(tmp_path / "model.pt", CPU)
