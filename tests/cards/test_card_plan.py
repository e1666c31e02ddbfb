"""The table in docs/gpu.md is what the code decides, and it has every case once."""

import re
from itertools import product
from pathlib import Path

import pytest

from pipeline.cards import card_plan
from pipeline.cards.card_plan import Place, plan_cards, require_solvable
from pipeline.errors import DeviceError

PAGE = Path(__file__).parents[2] / "docs/gpu.md"
VALUES = {
    "device": ("auto", "cpu", "cuda"),
    "gpus": ("0", "1", "2"),
    "where": ("here", "elsewhere"),
    "n": ("0", "1", "2"),
}
CASES = list(product(*VALUES.values()))


def rows() -> list[list[str]]:
    table = PAGE.read_text(encoding="utf-8").split("| jobs run |")[1].split("\n\n")[0]
    return [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def told() -> list[tuple[tuple[str, ...], list[str]]]:
    """Each case that a row of the table stands for, and what it says of it."""
    found = []
    for row in rows():
        meant = [
            values if cell in ("any", "anywhere") else re.findall(r"\w+", cell)
            for cell, values in zip(row, VALUES.values(), strict=False)
        ]
        found += [(case, row[4:]) for case in product(*meant)]
    return found


def test_the_table_has_every_case_once():
    assert sorted(case for case, _ in told()) == sorted(CASES)


@pytest.mark.parametrize(("case", "said"), told(), ids=lambda part: "-".join(filter(None, part)))
def test_a_case_of_the_table(case, said):
    device, gpus, where, n_cards = case
    plan = plan_cards(device, int(gpus), Place(where == "here", int(n_cards)))
    per_job, at_once, environment, start = said
    assert plan.per_job == int(per_job)
    assert plan.at_once == (int(at_once) if at_once.isdigit() else None)
    assert plan.environment == environment.lower()
    if not start:
        assert plan.fault is None
    else:
        there, wanted = re.fullmatch(r"refused: (\d) of (\d)", start).groups()
        assert f"want {wanted} of this machine's cards, and jobs may take {there}: " in plan.fault


def test_a_refusal_says_what_to_do():
    place = Place(True, 1, "CUDA_VISIBLE_DEVICES shows no more")
    assert plan_cards("cuda", 2, place).fault == (
        "device: cuda and gpus: 2 want 2 of this machine's cards, and jobs may take 1: CUDA_VISIBLE_DEVICES shows "
        "no more. Set gpus: 1, or run where there are more."
    )
    assert "Set device: cpu, or run where there are more." in plan_cards("auto", 1, Place(True, 0)).fault


def test_the_page_quotes_the_refusal():
    quoted = re.search(r"as `(device: .*?)`", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1].replace("\n", " ")
    assert plan_cards("cuda", 2, Place(True, 1)).fault.startswith(re.sub(" +", " ", quoted))


def test_environments_for_cuda_are_refused_where_conda_finds_no_driver(monkeypatch):
    monkeypatch.delenv("CONDA_OVERRIDE_CUDA", raising=False)
    monkeypatch.setattr(card_plan, "has_driver", lambda: False)
    require_solvable([])
    with pytest.raises(DeviceError, match=r"^envs/a-cuda.yaml, envs/b-cuda.yaml: .*CONDA_OVERRIDE_CUDA=12"):
        require_solvable(["envs/b-cuda.yaml", "envs/a-cuda.yaml"])


def test_they_are_solved_where_there_is_a_driver_or_the_user_says_which_cuda_there_will_be(monkeypatch):
    monkeypatch.delenv("CONDA_OVERRIDE_CUDA", raising=False)
    monkeypatch.setattr(card_plan, "has_driver", lambda: True)
    require_solvable(["envs/a-cuda.yaml"])
    monkeypatch.setattr(card_plan, "has_driver", lambda: False)
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.8")
    require_solvable(["envs/a-cuda.yaml"])
