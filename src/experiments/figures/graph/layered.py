"""A layered layout: inputs left, each node right of all that it needs, few crossings.

After Sugiyama, Tagawa, Toda 1981, "Methods for visual understanding of hierarchical system
structures": longest-path layers, nodes of no size where an edge passes a layer, an order in each
layer by the barycentres of the neighbours and by exchanges, then heights. Lengths are in points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, pairwise

SWEEPS = 24
THROUGH = 12.0
"""The height that is kept free for an edge that passes a layer."""


@dataclass(frozen=True)
class Link:
    """An edge between two nodes.

    Args:
        source: it leaves at the middle of this node.
        target: it enters this node.
        port: how far above the middle of the target.
    """

    source: int
    target: int
    port: float = 0.0


@dataclass
class Item:
    """What has a place in a layer: a node, or an edge that passes.

    Attributes:
        layer: from the left.
        height: of its box.
        y: of its middle.
        before: links from the layer to the left, as (item, port here).
        after: links to the layer to the right, as (item, port there).
    """

    layer: int
    height: float
    y: float = 0.0
    before: list[tuple[int, float]] = field(default_factory=list)
    after: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Attributes:
        items: the nodes, then the passing edges.
        layers: the items of each layer, from top to bottom.
        paths: of each link the items it goes through, source and target among them.
    """

    items: tuple[Item, ...]
    layers: tuple[tuple[int, ...], ...]
    paths: tuple[tuple[int, ...], ...]


def longest_path_layers(num_nodes: int, links: Sequence[Link]) -> list[int]:
    """Return the layer of each node: 0 without a link to it, else one more than any before it.

    Args:
        num_nodes: each node's number is above those of the nodes it needs.
    """
    layers = [0] * num_nodes
    for link in sorted(links, key=lambda link: link.target):
        layers[link.target] = max(layers[link.target], layers[link.source] + 1)
    return layers


def arrange(heights: Sequence[float], links: Sequence[Link], gap: float) -> Layout:
    """Return the layout of nodes of these heights, numbered in an order of computation."""
    layer_of = longest_path_layers(len(heights), links)
    items = [Item(layer, height) for layer, height in zip(layer_of, heights, strict=True)]
    paths = [path_of(link, items) for link in links]
    order = best_order(items)
    set_heights(items, order, gap)
    return Layout(tuple(items), tuple(tuple(layer) for layer in order), tuple(paths))


def path_of(link: Link, items: list[Item]) -> tuple[int, ...]:
    """Add the items where a link passes a layer, tie all together, and return them."""
    path = [link.source]
    for layer in range(items[link.source].layer + 1, items[link.target].layer):
        items.append(Item(layer, THROUGH))
        path.append(len(items) - 1)
    path.append(link.target)
    for left, right in pairwise(path):
        port = link.port if right == link.target else 0.0
        items[left].after.append((right, port))
        items[right].before.append((left, port))
    return tuple(path)


def best_order(items: Sequence[Item]) -> list[list[int]]:
    """Return the items of each layer from top to bottom, in the best order that was met."""
    order = exchange_neighbours(items, first_order(items))
    best, fewest = order, num_crossings(items, order)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        # From both ends, and half of the time from the order upside down.
        order = [layer[::-1] for layer in order] if sweep % 4 == 3 else order
        order = exchange_neighbours(items, sweep_layers(items, order, from_left=sweep % 2 == 0))
        crossings = num_crossings(items, order)
        if crossings < fewest:
            best, fewest = order, crossings
    return best


def exchange_neighbours(items: Sequence[Item], order: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the order after exchanging neighbours as long as that removes a crossing."""
    result = [list(layer) for layer in order]
    is_better = True
    while is_better:
        is_better = False
        for number, layer in enumerate(result):
            around = result[max(0, number - 1) : number + 2]
            for i in range(len(layer) - 1):
                before = num_crossings(items, around)
                layer[i : i + 2] = layer[i + 1], layer[i]
                if num_crossings(items, around) < before:
                    is_better = True
                else:
                    layer[i : i + 2] = layer[i + 1], layer[i]
    return result


def first_order(items: Sequence[Item]) -> list[list[int]]:
    """Return the order in which a walk from the output back meets them, upper ports first.

    A tree has no crossings in it.
    """
    order: list[list[int]] = [[] for _ in range(1 + max(item.layer for item in items))]
    met: set[int] = set()

    def walk(number: int) -> None:
        if number in met:
            return
        met.add(number)
        for before, _ in sorted(items[number].before, key=lambda pair: -pair[1]):
            walk(before)
        order[items[number].layer].append(number)

    for number in reversed(range(len(items))):
        if not items[number].after:
            walk(number)
    return order


def sweep_layers(
    items: Sequence[Item], order: Sequence[Sequence[int]], from_left: bool
) -> list[list[int]]:
    """Return the order by barycentres, layer after layer."""
    result = [list(layer) for layer in order]
    numbers = range(1, len(result)) if from_left else range(len(result) - 2, -1, -1)
    for number in numbers:
        beside = result[number - 1 if from_left else number + 1]
        rank = {item: position for position, item in enumerate(beside)}
        wanted = {}
        for position, item in enumerate(result[number]):
            links = items[item].before if from_left else items[item].after
            # An end at a lower port counts as a little further down.
            ends = [rank[other] - (0 if from_left else port / 1000) for other, port in links]
            wanted[item] = mean(ends) if ends else float(position)
        result[number].sort(key=wanted.__getitem__)
    return result


def num_crossings(items: Sequence[Item], order: Sequence[Sequence[int]]) -> int:
    """Return how many pairs of links between neighbouring layers cross."""
    crossings = 0
    for left, right in pairwise(order):
        rank = {item: position for position, item in enumerate(right)}
        ends = [
            (start, (rank[other], -port))
            for start, item in enumerate(left)
            for other, port in items[item].after
        ]
        crossings += sum(
            (a - b) * ((end > other) - (end < other)) < 0
            for (a, end), (b, other) in combinations(ends, 2)
        )
    return crossings


def set_heights(items: Sequence[Item], order: Sequence[Sequence[int]], gap: float) -> None:
    """Give each item its height: near its neighbours, in order, and clear of those beside it."""
    for layer in order:
        settle(items, layer, gap, lambda number: 0.0)
    for sweep in range(SWEEPS):
        is_last, side = sweep >= SWEEPS - 2, sweep % 2
        for layer in order[::-1] if side else order:
            settle(items, layer, gap, partial(wish, items, side, is_last))


def wish(items: Sequence[Item], side: int, both: bool, number: int) -> float:
    """Return where an item would best be: level with its links of one side, or of both."""
    item = items[number]
    before = [items[other].y - port for other, port in item.before]
    after = [items[other].y + port for other, port in item.after]
    wished = before + after if both else (after or before) if side else (before or after)
    return mean(wished) if wished else item.y


def settle(
    items: Sequence[Item], layer: Sequence[int], gap: float, wanted: Callable[[int], float]
) -> None:
    """Move a layer's items to where they want to be, as near as order and room allow.

    The least sum of squares under a given order: isotonic regression by pooling neighbours that
    violate it (Ayer, Brunk, Ewing, Reid, Silverman 1955).
    """
    offset, offsets = 0.0, []
    for position, number in enumerate(layer):
        if position:
            offset -= (items[layer[position - 1]].height + items[number].height) / 2 + gap
        offsets.append(offset)
    pools: list[list[float]] = []
    for number, shift in zip(layer, offsets, strict=True):
        pools.append([wanted(number) - shift])
        while len(pools) > 1 and mean(pools[-2]) < mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    level = [mean(pool) for pool in pools for _ in pool]
    for number, shift, height in zip(layer, offsets, level, strict=True):
        items[number].y = height + shift


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
