"""Random changes to training inputs, drawn for each batch from (seed, epoch, batch).

What a point is turned into depends neither on the steps before it nor on how many processes
share the batch, so a resumed run sees the very images that the uninterrupted one saw. A whole
batch is changed at once, each point by its own draw: torchvision's transforms draw once for all
of a batch, and one image at a time they cost more than the training step.

Shape letters: B points of a rank, C channels, * spatial sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.data.order import BatchOrder, mix
from experiments.errors import user_error


@dataclass(frozen=True)
class Augmentation:
    """Random crop, then random horizontal flip.

    Args:
        random_crop: zeros around each image, of which a window of the old size is cut out at
            random: every shift by up to so many pixels is equally likely (0: none).
        horizontal_flip: probability of mirroring the last dimension.
    """

    random_crop: int = 0
    horizontal_flip: float = 0.0

    def check(self, shape: tuple[int, ...], data_name: str) -> None:
        """Raise UserError for values that are none, or data that have no spatial dimension."""
        if self.random_crop < 0:
            raise user_error(
                "not_allowed",
                key="data.augment.random_crop",
                given=self.random_crop,
                allowed="a whole number of pixels, 0 for none",
                instead=2,
            )
        if not 0 <= self.horizontal_flip <= 1:
            raise user_error(
                "not_allowed",
                key="data.augment.horizontal_flip",
                given=self.horizontal_flip,
                allowed="a probability from 0 to 1",
                instead=0.5,
            )
        if self and len(shape) < 2:
            raise user_error("augment", data=data_name, shape=shape)
        if self.random_crop > min(shape[1:], default=0):
            raise user_error(
                "not_allowed",
                key="data.augment.random_crop",
                given=self.random_crop,
                allowed=f"at most {min(shape[1:])} pixels, the size of a point of {data_name}",
                instead=max(1, min(shape[1:]) // 8),
            )

    def __bool__(self) -> bool:
        return bool(self.random_crop or self.horizontal_flip)

    def __call__(self, x: Tensor, order: BatchOrder, number: int, size: int) -> Tensor:
        """Return the changed inputs of batch `number` of the order's epoch.

        Args:
            x: this rank's share.
            order: whose share it is.
            number: of the batch in its epoch.
            size: points of the whole batch; all are drawn for, and each rank takes its own.

        Shapes: (B, C, *) -> (B, C, *), of the same type.
        """
        assert order.seed is not None
        seed = mix(mix(order.seed, order.epoch), number)
        generator = torch.Generator().manual_seed(seed)
        own = slice(order.rank, None, order.num_ranks)
        if self.random_crop:
            draws = (size, x.dim() - 2)
            offsets = torch.randint(0, 2 * self.random_crop + 1, draws, generator=generator)
            x = shifted(x, self.random_crop, offsets[own].to(x.device))
        if self.horizontal_flip:
            mirrored = torch.rand(size, generator=generator) < self.horizontal_flip
            x = flipped(x, mirrored[own].to(x.device))
        return x


def shifted(x: Tensor, padding: int, offsets: Tensor) -> Tensor:
    """Return each point padded by zeros and cut to its size from its own offset on.

    Shapes: x (B, C, *), offsets (B, spatial dimensions) from 0 to 2 padding -> (B, C, *).
    """
    sizes = x.shape[2:]
    x = F.pad(x, [padding, padding] * len(sizes))
    for i, size in enumerate(sizes):
        positions = offsets[:, i, None] + torch.arange(size, device=x.device)
        shape = [len(x), *[1] * (x.dim() - 1)]
        shape[i + 2] = size
        expanded = [size if d == i + 2 else n for d, n in enumerate(x.shape)]
        x = x.gather(i + 2, positions.view(shape).expand(expanded))
    return x


def flipped(x: Tensor, mirrored: Tensor) -> Tensor:
    """Return x with the last dimension mirrored where `mirrored` (B,) says so."""
    return torch.where(mirrored.view(-1, *[1] * (x.dim() - 1)), x.flip(-1), x)
