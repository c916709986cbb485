"""Optimizers by name, from the collection pytorch_optimizer: `optim=pytorch_optimizer`."""

from __future__ import annotations

from torch.optim import Optimizer

from experiments.errors.likeness import hint
from experiments.errors.messages import user_error


def optimizer_class(name: str) -> type[Optimizer]:
    """Return the class of the collection with this name, in any spelling of upper and lower case.

    https://github.com/kozistr/pytorch_optimizer lists them with their papers.

    Raises:
        UserError: there is none.
    """
    # Inside the function: the import takes most of a second.
    from pytorch_optimizer import get_supported_optimizers, load_optimizer

    known = get_supported_optimizers()
    if str(name).lower() not in known:
        suggestion = hint("optim.name=", str(name).lower(), known)
        raise user_error("collection", given=name, num_known=len(known), hint=suggestion)
    chosen: type[Optimizer] = load_optimizer(str(name).lower())
    return chosen


# A function that gives the class to build, instead of building it: see building.find_target.
optimizer_class.gives_class = True  # type: ignore[attr-defined]
