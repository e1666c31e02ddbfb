"""What an iterator gives, one thing ahead of its use."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")


def taken_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield ``items`` in order; while one is worked on, a thread makes the next."""
    left = iter(items)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        coming = thread.submit(next, left, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, left, end)
            yield cast(Item, item)
