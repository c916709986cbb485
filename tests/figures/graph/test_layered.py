"""The layout of graphs: layers, crossings and room, against counts by hand and by brute force."""

from __future__ import annotations

import random
from itertools import combinations, pairwise, permutations

import pytest

from experiments.figures.graph.layered import (
    Item,
    Link,
    arrange,
    best_order,
    longest_path_layers,
    num_crossings,
    path_of,
    settle,
)


def test_a_node_is_right_of_all_that_it_needs() -> None:
    # x, y, z, q = x + y, f = q * z.
    links = [Link(0, 3), Link(1, 3), Link(3, 4), Link(2, 4)]
    assert longest_path_layers(5, links) == [0, 0, 0, 1, 2]


def random_tree(seed: int, num_leaves: int = 6) -> tuple[list[float], list[Link]]:
    """Return the heights and links of a random binary tree."""
    chance = random.Random(seed)
    roots, number, links = list(range(num_leaves)), num_leaves, []
    while len(roots) > 1:
        at = chance.randrange(len(roots) - 1)
        links += [Link(roots[at], number, 15.0), Link(roots[at + 1], number, -15.0)]
        roots[at : at + 2] = [number]
        number += 1
    return [30.0] * num_leaves + [60.0] * (number - num_leaves), links


@pytest.mark.parametrize("seed", range(8))
def test_a_tree_has_no_crossings_and_boxes_have_room(seed: int) -> None:
    heights, links = random_tree(seed)
    layout = arrange(heights, links, gap=10.0)
    assert num_crossings(layout.items, layout.layers) == 0
    for layer in layout.layers:
        for above, below in pairwise(layer):
            one, other = layout.items[above], layout.items[below]
            assert one.y - other.y >= (one.height + other.height) / 2 + 10.0 - 1e-9
    for path, link in zip(layout.paths, links, strict=True):
        assert (path[0], path[-1]) == (link.source, link.target)
        assert [layout.items[n].layer for n in path] == list(
            range(layout.items[path[0]].layer, layout.items[path[-1]].layer + 1)
        )


def segments_cross(layout_items: list[Item], order: list[list[int]]) -> int:
    """Count crossings as pairs of straight segments, the ports as tiny heights."""
    total = 0
    for left, right in pairwise(order):
        segments = [
            (-left.index(n), -right.index(other) + port / 1000)
            for n in left
            for other, port in layout_items[n].after
        ]
        total += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(segments, 2))
    return total


def tied(links: list[Link], num_nodes: int) -> list[Item]:
    """Return items with their links, not yet in any order."""
    items = [Item(layer, 30.0) for layer in longest_path_layers(num_nodes, links)]
    for link in links:
        path_of(link, items)
    return items


@pytest.mark.parametrize("seed", range(12))
def test_crossings_are_counted_and_near_the_fewest_that_there_are(seed: int) -> None:
    chance = random.Random(seed)
    links = [
        Link(source, target, port)
        for target in (4, 5, 6)
        for source, port in zip(chance.sample(range(4), 2), (10.0, -10.0), strict=True)
    ]
    items = tied(links, 7)
    order = best_order(items)
    assert num_crossings(items, order) == segments_cross(items, order)
    fewest = min(
        segments_cross(items, [list(left), list(right)])
        for left in permutations(order[0])
        for right in permutations(order[1])
    )
    assert fewest <= num_crossings(items, order) <= fewest + 1


def test_settling_keeps_order_and_moves_as_little_as_possible() -> None:
    items = [Item(0, 10.0) for _ in range(3)]
    # All three want to be at 0: the least sum of squares puts the middle one there.
    settle(items, [0, 1, 2], 5.0, lambda number: 0.0)
    assert [item.y for item in items] == pytest.approx([15.0, 0.0, -15.0])
    # There is room for these wishes.
    settle(items, [0, 1, 2], 5.0, lambda number: [40.0, 3.0, -20.0][number])
    assert [item.y for item in items] == pytest.approx([40.0, 3.0, -20.0])
