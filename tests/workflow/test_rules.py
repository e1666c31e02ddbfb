import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = [
    "tile_slide",
    "import_tiles",
    "tile_nuclei",
    "export_tiles",
    "segment_nuclei",
    "import_nuclei",
    "build_cell_graphs",
    "cache_features",
    "import_features",
    "split_cohort",
    "train_fold",
    "explain_fold",
    "interpret",
    "train_final",
    "evaluate",
    "predict",
    "write_report",
    "write_panels",
    "export_geojson",
    "export_run",
]
TARGETS = ["all", "tiles", "coords", "nuclei", "cell_graphs", "features", "train", "predict", "report", "geojson"]
DIRECTIVES = {"input", "output", "log", "benchmark", "conda", "threads", "resources", "params", "script"}


def blocks(text: str) -> dict[str, str]:
    parts = re.split(r"^rule (\w+):$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


WORK = {
    name: body
    for file in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for name, body in blocks(file.read_text()).items()
}
BATCHES = (ROOT / "workflow/rules/batches.smk").read_text()


def directives(body: str) -> list[str]:
    return re.findall(r"^    (\w+):", body, flags=re.MULTILINE)


def test_the_rules_are_those_of_the_design():
    assert sorted(WORK) == sorted(RULES)
    named = set(blocks((ROOT / "Snakefile").read_text())) | {"predict"}
    assert named == set(TARGETS)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_every_directive_once(rule):
    found = directives(WORK[rule])
    assert set(found) >= DIRECTIVES
    assert len(found) == len(set(found))


def test_long_jobs_start_first_and_exports_fill_the_gaps():
    of = {
        rule: int((re.findall(r"^    priority: (\d)$", body, flags=re.MULTILINE) or ["0"])[0])
        for rule, body in WORK.items()
    }
    assert (
        of["train_final"]
        == of["explain_fold"]
        == of["interpret"]
        > of["train_fold"]
        == of["segment_nuclei"]
        > of["export_geojson"]
    )


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_names_its_log_benchmark_script_and_resources_after_itself(rule):
    body = WORK[rule]
    assert f"/logs/{rule}/" in body
    assert f"/benchmarks/{rule}/" in body
    assert f'"../scripts/{rule}.py"' in body
    assert "mem_mb=" in body
    assert "runtime=" in body
    assert "source=source_digest(" in body
    for directive in ("input", "output"):
        content = re.search(rf"^    {directive}:\n((?:        .*\n)+)", body, flags=re.MULTILINE).group(1)
        assert re.match(r" {8}\w+=", content), f"{directive} of {rule} is not named"


@pytest.mark.parametrize("rule", ["segment_nuclei", "train_fold", "explain_fold", "train_final", "predict"])
def test_rules_with_a_network_ask_for_a_gpu_by_the_config_and_use_what_they_have(rule):
    assert "gpu=GPUS" in WORK[rule]
    script = (ROOT / f"workflow/scripts/{rule}.py").read_text()
    assert "card_of_job(snakemake.params.device, snakemake.resources) as device:" in script
    assert "device=device," in script


def test_no_other_rule_asks_for_a_gpu_or_is_told_a_device():
    asking = {rule for rule, body in WORK.items() if "gpu=" in body or "device=" in body}
    assert asking == {"segment_nuclei", "train_fold", "explain_fold", "train_final", "predict"}


@pytest.mark.parametrize("rule", RULES)
def test_a_script_reads_calls_one_function_and_writes(rule):
    tree = ast.parse((ROOT / f"workflow/scripts/{rule}.py").read_text())
    assert ast.get_docstring(tree).startswith(f"Rule {rule}:")
    forbidden = (ast.FunctionDef, ast.If, ast.For, ast.While, ast.Lambda, ast.Try)
    assert not [node for node in ast.walk(tree) if isinstance(node, forbidden)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == rule]
    assert len(calls) == 1


@pytest.mark.parametrize("rule", RULES)
def test_the_source_digest_covers_the_rooms_that_the_script_imports(rule):
    script = (ROOT / f"workflow/scripts/{rule}.py").read_text()
    rooms = set(re.findall(r"^from pipeline\.(tiling|nuclei|cellgraph|training|report)\b", script, flags=re.MULTILINE))
    digested = set(re.findall(r"pipeline\.(\w+)", re.search(r"source_digest\((.*?)\)", WORK[rule]).group(1)))
    assert digested == rooms


def test_rules_of_batches_have_every_directive_and_take_resources_from_their_stage():
    body = re.search(r"^    rule:\n((?:.*\n)+?)\n    take", BATCHES, flags=re.MULTILINE).group(1)
    found = re.findall(r"^        (\w+):", body, flags=re.MULTILINE)
    assert set(found) == DIRECTIVES - {"threads", "resources"} | {"name", "group"}
    assert "take_resources(" in BATCHES


@pytest.mark.parametrize("page", ["docs/cluster.md", "profiles/slurm/config.yaml"])
def test_examples_of_resources_cover_every_rule_that_asks_for_a_gpu(page):
    example = re.split(r"^\W*set-resources:$", (ROOT / page).read_text(), flags=re.MULTILINE)[1].partition("\n\n")[0]
    named = re.findall(r"^\W+(\w+): \{mem_mb: \d+, runtime: \d+", example, flags=re.MULTILINE)
    assert sorted(named) == sorted(rule for rule, body in WORK.items() if "gpu=" in body)


def test_what_snakemake_reports_has_a_caption_and_every_caption_a_place():
    bodies = "".join(WORK.values())
    captions = re.findall(r'caption="\.\./report/(\w+\.rst)"', bodies)
    assert len(captions) == len(re.findall(r"=report\(", bodies))
    assert set(captions) == {file.name for file in (ROOT / "workflow/report").iterdir()}
    assert all(len((ROOT / "workflow/report" / name).read_text().split()) > 10 for name in captions)


def test_functions_live_in_common_alone():
    for file in [*sorted((ROOT / "workflow/rules").glob("*.smk")), ROOT / "Snakefile"]:
        if file.name != "common.smk":
            assert "\ndef " not in file.read_text()


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda file: file.stem)
def test_environments_pin_every_package_from_conda_forge(file):
    environment = yaml.safe_load(file.read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    entries = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    assert [entry for entry in entries if "=" not in entry and entry not in ("pip", "__cuda")] == []
    by_pip = [pin for entry in environment["dependencies"] if isinstance(entry, dict) for pin in entry["pip"]]
    assert all("==" in pin for pin in by_pip)
