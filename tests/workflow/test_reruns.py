import json
import os
import time

from pipeline.provenance import file_digest

PER_SLIDE = {"tile_slide", "segment_nuclei", "build_cell_graphs", "cache_features", "export_geojson"}
LEARNING = {"train_fold", "explain_fold", "interpret", "train_final", "evaluate", "predict"}
TRAINING = LEARNING | {"write_report", "write_panels", "export_run"}


def test_a_second_run_has_nothing_to_do(finished, exclude):
    done = finished.snakemake(changed=exclude)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_changed_training_parameter_reruns_only_training(finished, exclude):
    assert set(finished.planned(changed=exclude | {"training": {"epochs": 4}})) == TRAINING


def test_another_memory_for_training_reruns_no_training(finished, exclude):
    assert not TRAINING - {"write_report", "write_panels"} & set(
        finished.planned(changed=exclude | {"training": {"memory_gib": 1.5}})
    )


def test_a_changed_report_parameter_reruns_only_the_report(finished, exclude):
    assert set(finished.planned(changed=exclude | {"report": {"n_overlays": 1}})) == {"write_report", "write_panels"}


def test_a_changed_graph_parameter_reruns_from_the_graphs_on(finished, exclude):
    planned = set(finished.planned(changed=exclude | {"cell_graphs": {"radius_um": 20}}))
    assert planned == {"build_cell_graphs", "cache_features", "export_geojson", "split_cohort"} | TRAINING


def test_a_changed_tiling_parameter_reruns_everything(finished, exclude):
    planned = set(finished.planned(changed=exclude | {"tiling": {"min_tissue_fraction": 0.5}}))
    assert planned == PER_SLIDE | {"split_cohort"} | TRAINING


def test_a_changed_library_function_reruns_its_stage_and_what_follows(finished, exclude):
    with finished.edited(
        "pipeline/cellgraph/build_cell_graphs.py", "\ndef build_cell_graphs", "\nanswer = 42\n\n\ndef build_cell_graphs"
    ):
        planned = set(finished.planned(changed=exclude))
    assert planned == {"build_cell_graphs", "cache_features", "export_geojson", "split_cohort"} | TRAINING


def test_a_comment_reruns_nothing(finished, exclude):
    with finished.edited("pipeline/tiling/tile_slide.py", "\ndef tile_slide", "\n# A comment.\ndef tile_slide"):
        assert finished.planned(changed=exclude) == {}


def test_a_changed_foundation_reruns_everything(finished, exclude):
    with finished.edited("pipeline/units.py", "length_px * mpp /", "mpp * length_px /"):
        assert set(finished.planned(changed=exclude)) == PER_SLIDE | {"split_cohort"} | TRAINING


def test_a_stage_can_be_forced(finished, exclude):
    planned = set(finished.planned("--forcerun", "segment_nuclei", changed=exclude))
    assert planned == (PER_SLIDE - {"tile_slide"}) | {"split_cohort"} | TRAINING


def test_a_named_target_runs_up_to_its_stage(finished, exclude):
    planned = set(finished.planned("features", "--forceall", changed=exclude))
    assert planned == (PER_SLIDE - {"export_geojson"}) | {"features"}


def test_a_new_row_leaves_the_other_slides_alone(copied, exclude):
    sheet = copied.folder / "slides/slides.csv"
    text = sheet.read_text()
    fields = dict(zip(text.splitlines()[0].split(","), text.splitlines()[1].split(","), strict=True))
    fields |= {"slide_id": "added", "path": "slides/added.tif"}
    (sheet.parent / "slides/added.tif").write_bytes(b"another slide")
    sheet.write_text(text + ",".join(fields.values()) + "\n")
    planned = copied.planned(changed=exclude)
    assert {rule: count for rule, count in planned.items() if rule in PER_SLIDE} == dict.fromkeys(PER_SLIDE, 1)
    assert set(planned) == PER_SLIDE | {"split_cohort"} | TRAINING


def test_a_changed_mpp_reruns_its_slide_alone(copied, exclude):
    sheet = copied.folder / "slides/slides.csv"
    text = sheet.read_text()
    lines = text.splitlines()
    mpps = ["mpp", "0.5", *[""] * (len(lines) - 2)]
    sheet.write_text("\n".join(f"{line},{mpp}" for line, mpp in zip(lines, mpps, strict=True)) + "\n")
    planned = copied.planned(changed=exclude)
    assert {planned[rule] for rule in PER_SLIDE} == {1}


def test_changed_features_rerun_training_although_the_split_stays(copied, exclude):
    provenance = json.loads((copied.results / "training/test/provenance.json").read_text())
    cache = copied.results / "features/s01.zarr"
    assert file_digest(cache) in json.dumps(provenance["upstream"])
    # Snakemake reads the time of a folder from this file.
    later = time.time() + 10
    os.utime(cache / ".snakemake_timestamp", (later, later))
    assert "split_cohort" in copied.planned("train", changed=exclude)
