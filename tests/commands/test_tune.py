from pathlib import Path

import pytest

from pipeline.commands.tune import _read_space
from pipeline.errors import ConfigError
from tests.commands.running import run


def test_a_search_leaves_its_trials_and_settings_that_train_takes(tmp_path, cohort, capsys):
    (tmp_path / "space.yaml").write_text("dropout: [0.0, 0.3]\n")
    options = ["--folds", 2, "--trials", 2, "--set", "epochs=3", "--set", "pretraining_steps=2"]
    where = ["--sheet", cohort / "slides.csv", "--out", tmp_path / "tuned", "--space", tmp_path / "space.yaml"]
    assert run("tune", *where, *options, "--method", "mean_pool", "--set", "splits.select_share=0.4") == 0
    assert {"trials.csv", "fold_0.yaml", "fold_1.yaml", "final.yaml"} <= {
        f.name for f in (tmp_path / "tuned").iterdir()
    }
    assert "fold" in capsys.readouterr().out
    tuned = ["--tuned", tmp_path / "tuned", "--out", tmp_path / "trained"]
    assert (
        run("train", "--sheet", cohort / "slides.csv", *tuned, *options[:2], *options[4:], "--method", "mean_pool") == 0
    )


@pytest.mark.parametrize("content", ["- 1", "dropout: 0.3", "dropout: []", "dropout: [", "\xff"])
def test_a_space_is_lists_by_key(tmp_path: Path, content: str) -> None:
    (tmp_path / "space.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"space\.yaml"):
        _read_space(tmp_path / "space.yaml")


def test_a_small_space_that_unfolds_to_a_huge_one_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1]", *(f"a{n}: &a{n} [{', '.join(4 * [f'*a{n - 1}'])}]" for n in range(1, 12))]
    (tmp_path / "space.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=r"space\.yaml.*more than"):
        _read_space(tmp_path / "space.yaml")
