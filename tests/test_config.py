from dataclasses import fields

import pytest
import yaml

from pipeline.cellgraph.params import CellGraphParams, FeatureParams
from pipeline.config import DEFAULT_CONFIG, SCHEMA_PATH, check_config, load_config, params
from pipeline.errors import ConfigError
from pipeline.nuclei.params import NucleiParams
from pipeline.report.params import METRICS, ReportParams
from pipeline.tiling.params import TilingParams
from pipeline.training.methods.presets import METHODS
from pipeline.training.params import SplitParams, TrainingParams

SECTIONS = {
    "tiling": TilingParams,
    "nuclei": NucleiParams,
    "cell_graphs": CellGraphParams,
    "features": FeatureParams,
    "splits": SplitParams,
    "training": TrainingParams,
    "report": ReportParams,
}
SCHEMA = yaml.safe_load(SCHEMA_PATH.read_text())


@pytest.fixture
def overlay(tmp_path):
    def write(content: dict):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.mark.parametrize(("section", "kind"), SECTIONS.items())
def test_config_schema_and_params_have_the_same_keys_and_defaults(section, kind):
    config = load_config()
    names = {field.name for field in fields(kind)}
    assert set(config[section]) == names
    assert set(SCHEMA["properties"][section]["properties"]) == names
    assert params(config, section, kind) == kind()


def bounded() -> list:
    return [
        pytest.param(section, key, limit, rule[limit], id=f"{section}.{key}.{limit}")
        for section in SECTIONS
        for key, rule in SCHEMA["properties"][section]["properties"].items()
        for limit in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        if limit in rule
    ]


@pytest.mark.parametrize(("section", "key", "limit", "value"), bounded())
def test_params_refuse_what_the_schema_refuses(section, key, limit, value):
    beyond = value if limit.startswith("exclusive") else value + (-1 if limit == "minimum" else 1)
    with pytest.raises(ConfigError, match=key):
        SECTIONS[section](**{key: beyond})
    with pytest.raises(ConfigError, match=rf"{section}\.{key}"):
        load_config(settings=[f"{section}.{key}={beyond}"])


def test_enumerations_name_what_the_code_knows():
    properties = SCHEMA["properties"]
    assert set(properties["methods"]["items"]["enum"]) == set(METHODS)
    assert set(properties["prediction"]["properties"]["method"]["enum"]) == set(METHODS)
    assert set(properties["report"]["properties"]["headline_metric"]["enum"]) == set(METRICS)


def test_every_key_is_described():
    def described(properties, place=""):
        for key, rule in properties.items():
            if "properties" in rule:
                yield from described(rule["properties"], f"{place}{key}.")
            elif not rule.get("description"):
                yield place + key

    assert list(described(SCHEMA["properties"])) == []


def test_the_schema_is_closed_at_every_level():
    sections = [rule for rule in SCHEMA["properties"].values() if "properties" in rule]
    assert all(rule["additionalProperties"] is False for rule in (SCHEMA, *sections))


def test_a_file_overlays_only_its_keys(overlay):
    config = load_config(overlay({"tiling": {"tile_px": 128}, "run": "mine"}), ["training.epochs=7", "folds=3"])
    assert config["tiling"]["tile_px"] == 128
    assert config["tiling"]["mpp"] == load_config()["tiling"]["mpp"]
    assert (config["training"]["epochs"], config["splits"]["folds"], config["run"]) == (7, 3, "mine")


def test_all_faults_name_themselves_at_once(overlay):
    with pytest.raises(ConfigError) as caught:
        load_config(overlay({"tilling": {}, "tiling": {"tile_px": 0, "colour": "red"}, "device": "gpu"}))
    message = str(caught.value)
    for expected in (
        "tilling: unknown key",
        "tiling.colour: unknown key",
        "tiling.tile_px",
        "device: 'gpu' is not one of",
    ):
        assert expected in message


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("epochs", "expected key=value"), ("tempo=3", "no such key"), ("training.tempo=3", "training.tempo")],
)
def test_a_wrong_setting_names_itself(setting, expected):
    with pytest.raises(ConfigError, match=expected):
        load_config(settings=[setting])


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: [1,")
    with pytest.raises(ConfigError, match=r"bad\.yaml: expected a YAML file"):
        load_config(tmp_path / "bad.yaml")


@pytest.mark.parametrize("path", sorted(DEFAULT_CONFIG.parent.rglob("*.yaml")), ids=lambda path: path.parent.name)
def test_every_shipped_config_is_allowed(path):
    config = load_config(path)
    check_config(config)
    for section, kind in SECTIONS.items():
        params(config, section, kind)
