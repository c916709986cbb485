"""`hydra/sweeper=optuna5`: a search by Optuna 5, whose trials are jobs like any other sweep's."""

# No postponed annotations: Hydra runs this file before it is a known module, and dataclasses
# would look their words up in it.
from dataclasses import dataclass
from typing import Any, Optional

from hydra.core.config_store import ConfigStore

from hydra_plugins._handover import PlanSweeper, plain


@dataclass
class Optuna5SweeperConfig:
    """See docs/sweeps.md on searches, and experiments.sweep.search.options for the words.

    Attributes:
        params: what is searched, as it would be typed.
        swept: filled in: the keys that differ between jobs.
    """

    _target_: str = "hydra_plugins.optuna5_sweeper.Optuna5Sweeper"
    sampler: str = "tpe"
    n_trials: int = 20
    seed: int = 0
    startup_trials: Optional[int] = None  # noqa: UP045
    pruner: str = "none"
    prune_after_trials: Optional[int] = None  # noqa: UP045
    prune_after_epochs: Optional[int] = None  # noqa: UP045
    prune_every_epochs: Optional[int] = None  # noqa: UP045
    reduction_factor: Optional[int] = None  # noqa: UP045
    p_threshold: Optional[float] = None  # noqa: UP045
    prune_after_seeds: Optional[int] = None  # noqa: UP045
    params: Optional[dict[str, Any]] = None  # noqa: UP045
    swept: Optional[list[str]] = None  # noqa: UP045


ConfigStore.instance().store(group="hydra/sweeper", name="optuna5", node=Optuna5SweeperConfig)


class Optuna5Sweeper(PlanSweeper):
    def __init__(
        self,
        params: dict[str, Any] | None = None,
        swept: list[str] | None = None,
        **options: Any,
    ) -> None:
        self.params = params or {}
        self.options = options

    def sweep(self, arguments: list[str]) -> None:
        """Carry out the search."""
        from experiments.sweep.search.options import Options, check_installed

        options = Options(**self.options)
        options.check()
        check_installed(options.sampler)
        from experiments.sweep.search.search import start_search

        assert self.hydra_context is not None
        assert self.config is not None
        loader, params = self.hydra_context.config_loader, plain(self.params)
        start_search(self.config, loader, arguments, params, options, self.make_carrier)
