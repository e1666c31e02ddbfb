"""Points of each tile in square buckets of about two, for searches that look into near buckets only.

Compiled; distances are the root of the sum of squares in float64.  Every function takes ``xy`` float64 (n, 2) and
``offsets`` int64 (n_tiles + 1,), and points of different tiles never meet.
"""

from typing import NamedTuple

import numpy as np

from pipeline.arrays import Float64s, Int64s
from pipeline.compiled import compiled

POINTS_PER_BUCKET = 2.0
"""Mean; has no influence on what is found, but on how long it takes."""

BOUND_SLACK = 1.0 - 1e-9
"""Guard: a point may lie in the next bucket by rounding."""


class _Buckets(NamedTuple):
    """Points of one tile in buckets: column and row of each point, and the points of each bucket, row by row."""

    start: int
    stop: int
    side: float
    column: Int64s
    row: Int64s
    columns: int
    rows: int
    first: Int64s
    members: Int64s


@compiled
def _buckets(xy: Float64s, start: int, stop: int) -> _Buckets:
    n = stop - start
    left, top = xy[start:stop, 0].min(), xy[start:stop, 1].min()
    width, height = xy[start:stop, 0].max() - left, xy[start:stop, 1].max() - top
    share = POINTS_PER_BUCKET / n
    side = max(np.sqrt(width * height * share), max(width, height) * share)
    side = side if side > 0.0 else 1.0
    columns, rows = int(width / side) + 1, int(height / side) + 1
    column, row = np.empty(n, np.int64), np.empty(n, np.int64)
    first = np.zeros(columns * rows + 1, np.int64)
    for point in range(n):
        column[point] = min(int((xy[start + point, 0] - left) / side), columns - 1)
        row[point] = min(int((xy[start + point, 1] - top) / side), rows - 1)
        first[row[point] * columns + column[point] + 1] += 1
    first = np.cumsum(first)
    members, filled = np.empty(n, np.int64), first[:-1].copy()
    for point in range(n):
        bucket = row[point] * columns + column[point]
        members[filled[bucket]] = start + point
        filled[bucket] += 1
    return _Buckets(start, stop, side, column, row, columns, rows, first, members)


@compiled
def _comes_before(xy: Float64s, a: int, b: int) -> bool:
    """Whether point ``a`` comes before ``b`` in the order of x, then y, then number."""
    if xy[a, 0] != xy[b, 0]:
        return bool(xy[a, 0] < xy[b, 0])
    if xy[a, 1] != xy[b, 1]:
        return bool(xy[a, 1] < xy[b, 1])
    return a < b


@compiled
def _insert(xy: Float64s, index: Int64s, squares: Float64s, point: int, square: float) -> None:
    """Put ``point`` into the row of nearest ones, where it is known to come before the last."""
    place = len(index) - 1
    while place > 0 and (
        square < squares[place - 1]
        or (square == squares[place - 1] and index[place - 1] >= 0 and _comes_before(xy, point, index[place - 1]))
    ):
        index[place], squares[place] = index[place - 1], squares[place - 1]
        place -= 1
    index[place], squares[place] = point, square


@compiled
def _insert_nearer(xy: Float64s, point: int, members: Int64s, index: Int64s, squares: Float64s) -> None:
    """Put those of ``members`` into the row of the nearest to ``point`` that come before its last."""
    last = len(index) - 1
    for member in members:
        dx, dy = xy[member, 0] - xy[point, 0], xy[member, 1] - xy[point, 1]
        square = dx * dx + dy * dy
        if square > squares[last] or member == point:
            continue
        if square < squares[last] or index[last] < 0 or _comes_before(xy, member, index[last]):
            _insert(xy, index, squares, member, square)


@compiled
def _members_between(buckets: _Buckets, row: int, left: int, right: int) -> Int64s:
    """Points in the buckets of one row from column ``left`` to ``right``, of which one at least is there."""
    begin = row * buckets.columns + max(left, 0)
    end = row * buckets.columns + min(right, buckets.columns - 1)
    members: Int64s = buckets.members[buckets.first[begin] : buckets.first[end + 1]]
    return members


@compiled
def _farthest_ring(buckets: _Buckets, column: int, row: int) -> int:
    """Rows or columns from a bucket to the farthest there is."""
    return int(max(column, buckets.columns - 1 - column, row, buckets.rows - 1 - row))


@compiled
def nearest(xy: Float64s, offsets: Int64s, k: int) -> tuple[Int64s, Float64s]:
    """Numbers and distances of the ``k`` nearest other points of the tile, nearest first, (n, k) each.

    Of points at one distance the one with the smaller x, then y, comes first.  Where the tile has fewer, the number
    is -1 and the distance infinite.
    """
    index, squares = np.full((len(xy), k), -1, np.int64), np.full((len(xy), k), np.inf)
    best, least = np.empty(k, np.int64), np.empty(k)
    for tile in range(len(offsets) - 1):
        if offsets[tile + 1] - offsets[tile] < 2:
            continue
        buckets = _buckets(xy, offsets[tile], offsets[tile + 1])
        for point in buckets.members:
            column, row = buckets.column[point - buckets.start], buckets.row[point - buckets.start]
            best[:], least[:] = -1, np.inf
            for reach in range(_farthest_ring(buckets, column, row) + 1):
                left, right = column - reach, column + reach
                for r in range(max(row - reach, 0), min(row + reach, buckets.rows - 1) + 1):
                    if abs(r - row) == reach:
                        _insert_nearer(xy, point, _members_between(buckets, r, left, right), best, least)
                        continue
                    # Of the rows between only the two ends are new.
                    if left >= 0:
                        _insert_nearer(xy, point, _members_between(buckets, r, left, left), best, least)
                    if right < buckets.columns:
                        _insert_nearer(xy, point, _members_between(buckets, r, right, right), best, least)
                bound = reach * buckets.side * BOUND_SLACK
                if least[k - 1] < bound * bound:
                    break
            index[point], squares[point] = best, least
    return index, np.sqrt(squares)


@compiled
def _reach(buckets: _Buckets, radius: float) -> int:
    """How many buckets away a point within the radius can lie."""
    return int(min(radius / buckets.side, float(buckets.columns + buckets.rows))) + 1


@compiled
def _rows_near(buckets: _Buckets, point: int, reach: int) -> tuple[int, int]:
    """First row of buckets in reach of a point, and the one after the last."""
    row = buckets.row[point - buckets.start]
    return max(row - reach, 0), min(row + reach, buckets.rows - 1) + 1


@compiled
def _members_near(buckets: _Buckets, point: int, row: int, reach: int) -> Int64s:
    """Points in the buckets of one row that are in reach of a point."""
    column = buckets.column[point - buckets.start]
    return _members_between(buckets, row, column - reach, column + reach)


@compiled
def _distance(xy: Float64s, a: int, b: int) -> float:
    dx, dy = xy[b, 0] - xy[a, 0], xy[b, 1] - xy[a, 1]
    return float(np.sqrt(dx * dx + dy * dy))


@compiled
def _count_within(xy: Float64s, offsets: Int64s, radius: float, n_within: Int64s) -> None:
    """Number of other points of the tile within ``radius`` of each, in place."""
    for tile in range(len(offsets) - 1):
        if offsets[tile + 1] - offsets[tile] < 2:
            continue
        buckets = _buckets(xy, offsets[tile], offsets[tile + 1])
        reach = _reach(buckets, radius)
        for point in range(buckets.start, buckets.stop):
            first_row, end_row = _rows_near(buckets, point, reach)
            for row in range(first_row, end_row):
                for member in _members_near(buckets, point, row, reach):
                    if member != point and _distance(xy, point, member) <= radius:
                        n_within[point] += 1


@compiled
def _list_within(
    xy: Float64s, offsets: Int64s, radius: float, row_offsets: Int64s, targets: Int64s, distances: Float64s
) -> None:
    """Numbers and distances of the points within ``radius`` of each, sorted by number, in place."""
    for tile in range(len(offsets) - 1):
        if offsets[tile + 1] - offsets[tile] < 2:
            continue
        buckets = _buckets(xy, offsets[tile], offsets[tile + 1])
        reach = _reach(buckets, radius)
        for point in range(buckets.start, buckets.stop):
            n_listed = 0
            first_row, end_row = _rows_near(buckets, point, reach)
            for row in range(first_row, end_row):
                for member in _members_near(buckets, point, row, reach):
                    distance = _distance(xy, point, member)
                    if member != point and distance <= radius:
                        _sorted_insert(targets, distances, row_offsets[point], n_listed, member, distance)
                        n_listed += 1


@compiled
def _sorted_insert(
    targets: Int64s, distances: Float64s, start: int, n_listed: int, member: int, distance: float
) -> None:
    place = start + n_listed
    while place > start and targets[place - 1] > member:
        targets[place], distances[place] = targets[place - 1], distances[place - 1]
        place -= 1
    targets[place], distances[place] = member, distance


@compiled
def within(xy: Float64s, offsets: Int64s, radius: float) -> tuple[Int64s, Int64s, Float64s]:
    """Other points of the tile at most ``radius`` away, as rows by point.

    Returns
    -------
    tuple
        Row offsets int64 (n + 1,); numbers of the neighbours, rising in each row; their distances.
    """
    row_offsets = np.zeros(len(xy) + 1, np.int64)
    _count_within(xy, offsets, radius, row_offsets[1:])
    row_offsets = np.cumsum(row_offsets)
    targets, distances = np.empty(row_offsets[-1], np.int64), np.empty(row_offsets[-1])
    _list_within(xy, offsets, radius, row_offsets, targets, distances)
    return row_offsets, targets, distances


@compiled
def counts(xy: Float64s, offsets: Int64s, radii: Float64s) -> Int64s:
    """Number of other points of the tile at most each of the rising ``radii`` away, int64 (n, n_radii)."""
    n_within = np.zeros((len(xy), len(radii)), np.int64)
    for tile in range(len(offsets) - 1):
        if offsets[tile + 1] - offsets[tile] < 2:
            continue
        buckets = _buckets(xy, offsets[tile], offsets[tile + 1])
        reach = _reach(buckets, radii[-1])
        for point in range(buckets.start, buckets.stop):
            first_row, end_row = _rows_near(buckets, point, reach)
            for row in range(first_row, end_row):
                for member in _members_near(buckets, point, row, reach):
                    distance = _distance(xy, point, member)
                    if member == point:
                        continue
                    for shell in range(len(radii) - 1, -1, -1):
                        if distance > radii[shell]:
                            break
                        n_within[point, shell] += 1
    return n_within


@compiled
def summed_agreement(xy: Float64s, offsets: Int64s, vectors: Float64s, bounds: Float64s) -> tuple[Float64s, Int64s]:
    """Sum of the scalar products of the ``vectors`` (n, 2) of pairs of points of a tile by their distance, and number.

    Shell s holds the pairs at distances in (bounds[s], bounds[s + 1]]; both arrays are (n_tiles, n_shells).
    """
    n_shells = len(bounds) - 1
    sums = np.zeros((len(offsets) - 1, n_shells))
    n_pairs = np.zeros((len(offsets) - 1, n_shells), np.int64)
    for tile in range(len(offsets) - 1):
        if offsets[tile + 1] - offsets[tile] < 2:
            continue
        buckets = _buckets(xy, offsets[tile], offsets[tile + 1])
        reach = _reach(buckets, bounds[-1])
        for point in range(buckets.start, buckets.stop):
            first_row, end_row = _rows_near(buckets, point, reach)
            for row in range(first_row, end_row):
                for member in _members_near(buckets, point, row, reach):
                    if member <= point:
                        continue
                    distance = _distance(xy, point, member)
                    if bounds[0] < distance <= bounds[-1]:
                        shell = 0
                        while distance > bounds[shell + 1]:
                            shell += 1
                        product = vectors[point, 0] * vectors[member, 0] + vectors[point, 1] * vectors[member, 1]
                        sums[tile, shell] += product
                        n_pairs[tile, shell] += 1
    return sums, n_pairs
