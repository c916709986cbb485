"""Weights of members as rows: which parameter lies where.

Shape letters: A members, P numbers of a group of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Column(NamedTuple):
    """Where a parameter lies in the rows of its group.

    Attributes:
        order: of its dimensions in memory, which is another where channels are innermost.
        strides: in a network by itself.
    """

    name: str
    shape: tuple[int, ...]
    order: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    end: int

    def tensor_of(self, part: Tensor) -> Tensor:
        """Return the parameter of each row, a view: (A, end - start) -> (A, *shape)."""
        sizes = [self.shape[d] for d in self.order]
        back = [self.order.index(d) + 1 for d in range(len(self.order))]
        view = part.view(-1, *sizes)
        return view if back == sorted(back) else view.permute(0, *back)

    def own_of(self, row: Tensor) -> Tensor:
        """Return the parameter of one row as it lies in a network by itself, a view.

        A convolution looks at the strides to choose its kernel, also of dimensions of size 1.

        Shapes: (P,) -> (*shape).
        """
        return row[self.start : self.end].as_strided(self.shape, self.strides)

    def row_of(self, tensor: Tensor) -> Tensor:
        """Return a parameter as it lies in a row: (*shape) -> (end - start,)."""
        return tensor.permute(self.order).reshape(-1)


Layout = list[list[Column]]
"""The parameters of each group, in the optimizer's order."""


def layout_of(network: nn.Module, groups: Sequence[Sequence[Tensor]]) -> Layout:
    """Return where the parameters of a network lie, given those of each group."""
    names = {id(p): name for name, p in network.named_parameters()}
    layout: Layout = []
    for parameters in groups:
        columns: list[Column] = []
        for p in parameters:
            start = columns[-1].end if columns else 0
            order = tuple(sorted(range(p.dim()), key=p.stride, reverse=True))
            name, shape, end = names[id(p)], tuple(p.shape), start + p.numel()
            columns.append(Column(name, shape, order, p.stride(), start, end))
        layout.append(columns)
    return layout


def views_of(rows: Tensor, columns: Sequence[Column]) -> dict[str, Tensor]:
    """Return the parameters that lie in rows, by name: (A, P) -> (A, *shape) each."""
    parts = rows.split_with_sizes([c.end - c.start for c in columns], dim=1)
    return {c.name: c.tensor_of(part) for c, part in zip(columns, parts, strict=True)}


def row_of(tensors: Mapping[str, Tensor], columns: Sequence[Column]) -> Tensor:
    """Return a member's parameters of one group as its row, (P,)."""
    return torch.cat([column.row_of(tensors[column.name].detach()) for column in columns])
