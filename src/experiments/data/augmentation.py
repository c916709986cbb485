"""Random changes to training points, drawn for each batch from (seed, epoch, batch).

What a point is turned into depends neither on the steps before it nor on how many processes
share the batch, so a resumed run sees the very images that the uninterrupted one saw. A whole
batch is changed at once, each point by its own draw: torchvision's transforms draw once for all
of a batch, and one image at a time they cost more than the training step.

Shape letters: B points of a rank, C channels, * spatial sizes, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.data.order import BatchOrder, mix
from experiments.errors.messages import refuse_unless, user_error

SPATIAL = ("random_crop", "horizontal_flip", "cutout")


@dataclass(frozen=True)
class Augmentation:
    """Random crop, horizontal flip, cutout, noise and mixup, in this order.

    Args:
        random_crop: zeros around each image, of which a window of the old size is cut out at
            random: every shift by up to so many pixels is equally likely (0: none).
        horizontal_flip: probability of mirroring the last dimension.
        cutout: side of a square at a random place that is set to 0, which may reach over the edge
            (DeVries & Taylor 2017, "Improved regularization of convolutional neural networks with
            cutout"; they set it to the mean).
        noise: standard deviation of Gaussian noise, in the unit of the data (0 to 255 for images).
        mixup: alpha of lambda ~ Beta(alpha, alpha), one for each batch: points become lambda x_i +
            (1 - lambda) x_j, and their targets likewise (Zhang, Cisse, Dauphin, Lopez-Paz 2018,
            "mixup: beyond empirical risk minimization", ICLR, section 2).
        num_classes: of class numbers, to mix them; 0 for values.
    """

    random_crop: int = 0
    horizontal_flip: float = 0.0
    cutout: int = 0
    noise: float = 0.0
    mixup: float = 0.0
    num_classes: int = 0

    def check_values(self, shape: tuple[int, ...], data_name: str) -> None:
        """Raise UserError for values that are none, or data that have no spatial dimension."""
        side = min(shape[1:], default=0)
        for key in SPATIAL:
            if getattr(self, key) and not side:
                raise user_error("augment", key=key, data=data_name, shape=shape)
        pixels = f"0 (none) to {side} pixels, the size of a point of {data_name}"
        for key, is_allowed, allowed, instead in (
            ("random_crop", 0 <= self.random_crop <= side, pixels, max(1, side // 8)),
            ("cutout", 0 <= self.cutout <= side, pixels, max(1, side // 2)),
            ("horizontal_flip", 0 <= self.horizontal_flip <= 1, "a probability from 0 to 1", 0.5),
            ("noise", 0 <= self.noise < math.inf, "a standard deviation of at least 0", 0.1),
            ("mixup", 0 <= self.mixup < math.inf, "an alpha of at least 0", 0.2),
        ):
            given = getattr(self, key)
            refuse_unless(is_allowed, f"data.augment.{key}", given, allowed, instead)

    def __bool__(self) -> bool:
        return any((self.random_crop, self.horizontal_flip, self.cutout, self.noise, self.mixup))

    def __call__(
        self, x: Tensor, targets: Tensor, order: BatchOrder, number: int, size: int
    ) -> tuple[Tensor, Tensor]:
        """Return the changed inputs and targets of batch `number` of the order's epoch.

        Inputs and targets are this rank's share. For all `size` points of the whole batch is drawn,
        and each rank takes its own.

        Shapes: (B, C, *) -> (B, C, *), of the same type but for noise and mixup; (B,) or (B, K)
        -> the same, or (B, K) of mixed classes.
        """
        assert order.seed is not None
        seed = mix(mix(order.seed, order.epoch), number)
        generator = torch.Generator().manual_seed(seed)
        own = slice(order.rank, None, order.num_ranks)
        sizes = x.shape[2:]
        if self.random_crop:
            draws = (size, len(sizes))
            offsets = torch.randint(0, 2 * self.random_crop + 1, draws, generator=generator)
            x = shifted(x, self.random_crop, offsets[own].to(x.device))
        if self.horizontal_flip:
            mirrored = torch.rand(size, generator=generator) < self.horizontal_flip
            x = flipped(x, mirrored[own].to(x.device))
        if self.cutout:
            uniform = torch.rand(size, len(sizes), generator=generator)
            centres = (uniform * torch.tensor(sizes)).long()
            x = cut_out(x, self.cutout, centres[own].to(x.device))
        if self.noise:
            # Drawn where the batch lies: as many numbers as it has pixels.
            there = torch.Generator(x.device).manual_seed(mix(seed, 1))
            noise = torch.randn((size, *x.shape[1:]), generator=there, device=x.device)
            x = x + self.noise * noise[own]
        if self.mixup:
            return self.mixed(x, targets, np.random.default_rng(seed), generator)
        return x, targets

    def mixed(
        self, x: Tensor, targets: Tensor, rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return each point mixed with another of its batch, and its target with that one's."""
        share = float(rng.beta(self.mixup, self.mixup))
        partner = torch.randperm(len(x), generator=generator).to(x.device)
        x = x if x.is_floating_point() else x.float()
        if self.num_classes:
            targets = F.one_hot(targets, self.num_classes).float()
        return (
            share * x + (1 - share) * x[partner],
            share * targets + (1 - share) * targets[partner],
        )


def check_mixing(augmentation: Augmentation, loss: Any, loss_name: str, num_ranks: int) -> None:
    """Raise UserError where points cannot be mixed in this combination."""
    if augmentation.mixup and getattr(loss, "takes_mixtures", True) is False:
        reason = f"loss={loss_name} takes one class for each point"
        raise user_error("mixup", reason=reason, instead="loss=cross_entropy")
    if augmentation.mixup and num_ranks > 1:
        reason = f"the partner of a point may lie with another of {num_ranks} processes"
        raise user_error("mixup", reason=reason, instead="trainer=auto")


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


def cut_out(x: Tensor, side: int, centres: Tensor) -> Tensor:
    """Return x with 0 in a window of `side` positions in each dimension about each centre.

    Shapes: x (B, C, *), centres (B, spatial dimensions) -> (B, C, *).
    """
    sizes = x.shape[2:]
    inside = torch.ones((len(x), 1, *sizes), dtype=torch.bool, device=x.device)
    for i, size in enumerate(sizes):
        start = centres[:, i, None] - side // 2
        positions = torch.arange(size, device=x.device)
        is_in = (positions >= start) & (positions < start + side)
        inside &= is_in.view(len(x), 1, *[size if d == i else 1 for d in range(len(sizes))])
    return x.masked_fill(inside, 0)
