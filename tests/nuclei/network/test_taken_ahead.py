import threading
from collections.abc import Iterator

import pytest

from pipeline.nuclei.network.taken_ahead import taken_ahead


def test_all_come_in_order() -> None:
    assert list(taken_ahead(range(5))) == [0, 1, 2, 3, 4]
    assert list(taken_ahead([])) == []


def test_the_next_is_made_while_one_is_worked_on() -> None:
    """And no more than one ahead."""
    made = [threading.Event() for _ in range(4)]

    def making() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    for number in taken_ahead(making()):
        assert number == 3 or made[number + 1].wait(20)
        assert number > 1 or not made[number + 2].is_set()


def test_what_goes_wrong_is_told_where_it_is_asked_for() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("two")

    items = taken_ahead(failing())
    assert next(items) == 1
    with pytest.raises(KeyError, match="two"):
        next(items)


def test_an_end_before_the_last_ends_the_thread() -> None:
    items = taken_ahead(iter(range(10**6)))
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
