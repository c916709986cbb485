"""The arithmetic of sliding windows: sizes after convolutions and pools.

A window of F positions, moved by S over W positions with P added on both sides, fits
(W - F + 2P)/S + 1 times (rounded down).
"""

from __future__ import annotations

from typing import Any

from experiments.errors.messages import user_error


def window_size(width: int, kernel: int, padding: int = 0, stride: int = 1) -> int:
    """Return (W - F + 2P)/S + 1, rounded down.

    >>> window_size(28, kernel=5, padding=2), window_size(28, kernel=2, stride=2)
    (28, 14)
    """
    return (width - kernel + 2 * padding) // stride + 1


def padding_size(padding: Any, kernel: int, stride: int) -> int:
    """Return P for a number, `valid` (0) or `same`: (F - 1)/2, which keeps ceil(W/S) positions.

    Raises:
        UserError: `same` with an even kernel (its two sides would differ), a negative number, or
            anything else.
    """
    if padding == "valid":
        return 0
    if padding == "same" and kernel % 2:
        return (kernel - 1) // 2
    if isinstance(padding, int) and not isinstance(padding, bool) and padding >= 0:
        return padding
    if padding == "same":
        allowed = f"a number or valid, as the kernel size {kernel} is even (same needs an odd one)"
        instead: Any = kernel // 2
    else:
        allowed, instead = "same, valid or a number of at least 0", "same"
    raise user_error(
        "not_allowed", key="model.padding", given=padding, allowed=allowed, instead=instead
    )


class VanishesError(ValueError):
    """A window that is larger than what it slides over."""

    def __init__(self, layer: str, **numbers: int) -> None:
        super().__init__(f"{layer} would leave nothing")
        self.values = {"layer": layer, **numbers}


def shrink(
    layer: str, sizes: tuple[int, ...], kernel: int, padding: int = 0, stride: int = 1
) -> tuple[int, ...]:
    """Return the sizes after a window has passed.

    Raises:
        VanishesError: nothing would be left.
    """
    after = tuple(window_size(size, kernel, padding, stride) for size in sizes)
    if min(after) < 1:
        raise VanishesError(layer, size=min(sizes), kernel=kernel, padding=padding, stride=stride)
    return after
