from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

import pytest

from pipeline.nuclei.segmentation import measuring_pool
from pipeline.nuclei.segmentation.measuring_pool import InTurn


@pytest.mark.parametrize(
    ("helpers", "n_blocks", "n_processes"), [(0, 1000, 0), (6, 31, 0), (6, 32, 1), (6, 100, 3), (6, 2300, 6)]
)
def test_processes_that_a_slide_is_worth(
    helpers: int, n_blocks: int, n_processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def started(n: int) -> nullcontext[None]:
        asked.append(n)
        return nullcontext()

    monkeypatch.setattr(measuring_pool, "worker_processes", started)
    with measuring_pool.measuring_pool(helpers, n_blocks) as pool:
        assert isinstance(pool, InTurn) == (n_processes == 0)
    assert sum(asked) == n_processes


def test_processes_measure_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring_pool, "BLOCKS_A_PROCESS", 1)
    with measuring_pool.measuring_pool(1, 1) as pool:
        assert isinstance(pool, ProcessPoolExecutor)
        assert pool.submit(max, 3, 4).result() == 4


def test_in_turn_is_done_when_it_is_given() -> None:
    done: list[int] = []
    future = InTurn().submit(done.append, 3)
    assert done == [3]
    assert future.result() is None
    with pytest.raises(ZeroDivisionError):
        InTurn().submit(divmod, 1, 0)
