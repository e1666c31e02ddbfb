import pytest
import yaml

from pipeline.config import check_config, load_config, overlay_texts, params
from pipeline.config_keys import SECTIONS
from pipeline.errors import ConfigError
from pipeline.reachability import PACKAGE_ROOT
from pipeline.tunables import Number, rule_of, tunables_of

CONFIGS = PACKAGE_ROOT.parent / "config"


@pytest.fixture
def overlay(tmp_path):
    def write(content: dict):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.mark.parametrize(("section", "kind"), SECTIONS.items())
def test_sections_become_params_with_the_same_defaults(section, kind):
    config = load_config()
    assert set(config[section]) == {key.name for key in tunables_of(kind)}
    assert params(config, section, kind) == kind()


def bounded() -> list:
    return [
        pytest.param(section, key.name, beyond, id=f"{section}.{key.name}={beyond:g}")
        for section, kind in SECTIONS.items()
        for key in tunables_of(kind)
        if isinstance(rule := getattr(rule_of(key), "rule", rule_of(key)), Number)
        for beyond in (
            rule.low if rule.open_low else rule.low - 1,
            rule.high if rule.open_high else rule.high + 1,
        )
    ]


@pytest.mark.parametrize(("section", "key", "beyond"), bounded())
def test_a_value_out_of_bounds_is_refused_wherever_it_comes_from(section, key, beyond):
    with pytest.raises(ConfigError, match=rf"{section}\.{key}"):
        SECTIONS[section](**{key: beyond})
    with pytest.raises(ConfigError, match=rf"{section}\.{key}"):
        load_config(settings=[f"{section}.{key}={beyond}"])


def test_values_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match=r"tiling\.overlap_px: expected less than tile_px"):
        load_config(settings=["tiling.tile_px=64", "tiling.overlap_px=64"])


def test_a_missing_key_and_a_section_that_is_none_are_named():
    config = load_config()
    del config["tiling"]["mpp"]
    with pytest.raises(ConfigError, match=r"tiling\.mpp: missing"):
        check_config(config)
    with pytest.raises(ConfigError, match="nuclei: expected keys and values, found 3"):
        check_config(load_config() | {"nuclei": 3})


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
        "device: expected one of auto, cpu, cuda, found 'gpu'",
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


@pytest.mark.parametrize(
    "setting",
    [
        "tiling.mpp=[",
        "tiling.mpp=*a",
        "tiling.mpp=a: b: c",
        "tiling.mpp=!!timestamp x",
        f"tiling.mpp=0x{16**5000:x}",
    ],
)
def test_a_setting_that_is_no_yaml_names_itself(setting):
    with pytest.raises(ConfigError, match="expected a YAML value after ="):
        load_config(settings=[setting])


def test_a_whole_number_written_as_a_fraction_is_refused(overlay):
    with pytest.raises(ConfigError, match=r"splits\.folds: expected a whole number in \[2, 100\], found 3\.0"):
        load_config(overlay({"splits": {"folds": 3.0}}))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_named(tmp_path, encoding):
    path = tmp_path / "c.yaml"
    path.write_text("run: \u00e9t\u00e9", encoding=encoding)
    with pytest.raises(ConfigError, match=r"c\.yaml: expected a YAML file in UTF-8"):
        load_config(path)


def test_a_small_file_that_unfolds_to_a_huge_one_is_refused_at_once(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text("\n".join([*lines, "seeds: *a11"]))
    with pytest.raises(ConfigError, match=r"bomb\.yaml.*more than"):
        load_config(tmp_path / "bomb.yaml")


def test_a_deeply_nested_file_is_refused(tmp_path):
    (tmp_path / "deep.yaml").write_text("a: " + "[" * 5000 + "]" * 5000)
    with pytest.raises(ConfigError, match=r"deep\.yaml"):
        load_config(tmp_path / "deep.yaml")


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.parent.name)
def test_every_shipped_config_is_allowed(path):
    config = load_config(path)
    check_config(config)
    for section, kind in SECTIONS.items():
        params(config, section, kind)


@pytest.mark.parametrize("digits", [30, 400, 4000])
def test_a_number_beyond_every_bound_is_refused(digits):
    for key in ("tile_px", "mpp"):
        with pytest.raises(ConfigError, match=f"tiling.{key}: expected a"):
            check_config(load_config() | {"tiling": load_config()["tiling"] | {key: 10**digits}})


@pytest.mark.parametrize(
    "value", ["x" * 100_000, ["x"] * 5000, 10**6000, {"a": "x" * 100_000}], ids=["text", "list", "number", "mapping"]
)
def test_a_long_value_is_cut_in_the_message(value):
    with pytest.raises(ConfigError, match=r"tiling\.mpp: expected a number") as caught:
        check_config(load_config() | {"tiling": load_config()["tiling"] | {"mpp": value}})
    assert len(str(caught.value)) < 500


def test_a_configuration_that_unfolds_to_a_huge_one_is_refused_at_once():
    bomb = [1] * 9
    for _ in range(12):
        bomb = [bomb] * 9
    with pytest.raises(ConfigError, match="more than 10,000 values"):
        check_config(load_config() | {"seeds": bomb})


def test_a_key_named_twice_is_told(tmp_path):
    (tmp_path / "my.yaml").write_text("seeds: [1]\nrun: a\nseeds: [2]\n")
    with pytest.raises(ConfigError, match=r"my\.yaml.*key 'seeds' twice, first in line 1"):
        load_config(tmp_path / "my.yaml")


@pytest.mark.parametrize("outdir", ["a{word}", "{", "a}b", "<logs>/x", "x/<a_1>", "a\nb", ""])
def test_a_folder_of_results_that_snakemake_would_change_is_refused(outdir):
    with pytest.raises(ConfigError, match="outdir: expected the path of a folder"):
        check_config(load_config() | {"outdir": outdir})


@pytest.mark.parametrize("outdir", ["/abs/x", "a b/$c'd", "../x", "<", "a<B>", "größe"])
def test_other_folders_of_results_are_taken(outdir):
    check_config(load_config() | {"outdir": outdir})


def test_numbers_that_snakemake_takes_for_texts_are_numbers():
    config = load_config()
    given = {"seeds": ["0", "3"], "methods": ["logistic"], "training": {"cross_fit": "3"}, "sheet": "0512"}
    overlay_texts(config, given)
    assert (config["seeds"], config["methods"], config["training"]["cross_fit"]) == ([0, 3], ["logistic"], 3)
    assert config["sheet"] == load_config()["sheet"], "texts at the top are as Snakemake reads them"
    check_config(config)


def test_a_text_in_a_list_that_is_no_plain_value_is_told():
    with pytest.raises(ConfigError, match=r"--config '0512': expected a YAML value"):
        overlay_texts(load_config(), {"seeds": ["0512"]})
