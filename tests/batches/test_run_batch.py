import json

import pytest

from pipeline.batches.kept_artefacts import KeptArtefacts
from pipeline.batches.run_batch import run_batch
from pipeline.errors import AbignetError

SCRIPT = """
from pathlib import Path

from pipeline.errors import SlideError
from pipeline.logs import job_log

with job_log(snakemake.log[0]):
    with Path(snakemake.params.order).open("a") as order:
        order.write(snakemake.wildcards.slide + " ")
    text = Path(snakemake.input.tiles).read_text()
    if text == "bad":
        raise SlideError("cannot be read")
    if text == "bug":
        raise ZeroDivisionError("a bug")
    mask = snakemake.input.mask or snakemake.input.get("other")
    Path(snakemake.output.nuclei).write_text(text + str(mask) + snakemake.params.suffix)
"""


@pytest.fixture
def stage(tmp_path):
    """A stage of one script, and what it did."""
    return Stage(tmp_path)


class Stage:
    def __init__(self, folder):
        self.folder = folder
        self.script = folder / "segment.py"
        self.script.write_text(SCRIPT)
        self.order = folder / "order"

    def job(self, slide_id, suffix="!"):
        return {
            "slide_id": slide_id,
            "given": {"mask": []},
            "made": {"tiles": str(self.folder / f"{slide_id}.tiles")},
            "output": {"nuclei": str(self.folder / f"nuclei/{slide_id}.parquet")},
            "params": {"suffix": suffix, "order": str(self.order)},
            "log": str(self.folder / f"logs/{slide_id}.log"),
        }

    def run(self, tiles, **kwargs):
        """Run a batch of slides whose tiles are given, as Snakemake and its hook do; the slides that were made."""
        self.order.write_text("")
        for slide_id, text in tiles.items():
            (self.folder / f"{slide_id}.tiles").write_text(text)
            self.kept(slide_id).set_aside([self.nuclei(slide_id)])
            self.nuclei(slide_id).unlink(missing_ok=True)
        run_batch(self.script, [self.job(slide_id, **kwargs) for slide_id in tiles], self.folder / "kept", {})
        return self.order.read_text().split()

    def kept(self, slide_id):
        return KeptArtefacts(self.folder / "kept", slide_id)

    def nuclei(self, slide_id):
        return self.folder / f"nuclei/{slide_id}.parquet"


def test_each_image_is_made_by_the_script_of_the_stage(stage):
    assert stage.run({"a": "A", "b": "B"}) == ["a", "b"]
    assert [stage.nuclei(s).read_text() for s in "ab"] == ["ANone!", "BNone!"]
    assert (stage.folder / "logs/a.log").is_file()


def test_an_image_more_leaves_the_others(stage):
    stage.run({"a": "A", "b": "B"})
    assert stage.run({"a": "A", "b": "B", "c": "C"}) == ["c"]
    assert stage.run({"a": "A", "c": "C"}) == []
    assert [stage.nuclei(s).read_text() for s in "abc"] == ["ANone!", "BNone!", "CNone!"]


def test_other_inputs_parameters_and_scripts_make_it_again(stage):
    stage.run({"a": "A", "b": "B"})
    assert stage.run({"a": "A", "b": "other"}) == ["b"]
    assert stage.run({"a": "A", "b": "other"}, suffix="?") == ["a", "b"]
    stage.script.write_text(SCRIPT + "# other\n")
    assert stage.run({"a": "A", "b": "other"}, suffix="?") == ["a", "b"]


@pytest.mark.parametrize(("tiles", "reason"), [("bad", "cannot be read"), ("bug", "ZeroDivisionError: a bug")])
def test_a_bad_image_harms_no_other(stage, tiles, reason):
    with pytest.raises(AbignetError, match=f"1 of 3 images of this batch failed(.|\n)*b: {reason}"):
        stage.run({"a": "A", "b": tiles, "c": "C"})
    assert not stage.nuclei("a").exists()
    assert reason in (stage.folder / "logs/b.log").read_text()
    assert stage.run({"a": "A", "b": "mended", "c": "C"}) == ["b"]
    assert stage.nuclei("c").read_text() == "CNone!"


def test_a_killed_batch_goes_on_and_comes_last_to_what_killed_it(stage):
    with pytest.raises(AbignetError):
        stage.run({"a": "A", "b": "B", "c": "bad", "d": "D"})
    stage.kept("b").begin()
    assert stage.run({"a": "A", "b": "B", "c": "C", "d": "D"}) == ["c", "b"]


def test_a_damaged_artefact_is_made_again(stage):
    stage.run({"a": "A", "b": "B"})
    stage.nuclei("a").write_text("damaged")
    assert stage.run({"a": "A", "b": "B"}) == ["a"]
    stage.kept("b").record.write_text(json.dumps({"key": "?"}))
    assert stage.run({"a": "A", "b": "B"}) == ["b"]
