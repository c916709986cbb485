"""`hydra/sweeper=optuna5`: a search by Optuna 5, whose trials are jobs like any other sweep's."""

# No postponed annotations: Hydra runs this file before it is a known module, and dataclasses
# would look their words up in it.
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


@dataclass
class Optuna5SweeperConfig:
    """See the README's section on searches, and experiments.sweep.options for the words.

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
    params: Optional[dict[str, Any]] = None  # noqa: UP045
    swept: Optional[list[str]] = None  # noqa: UP045


ConfigStore.instance().store(group="hydra/sweeper", name="optuna5", node=Optuna5SweeperConfig)


class Optuna5Sweeper(Sweeper):
    """Hands the command over to experiments.sweep."""

    def __init__(
        self,
        params: dict[str, Any] | None = None,
        swept: list[str] | None = None,
        **options: Any,
    ) -> None:
        self.params = params
        self.options = options

    def setup(
        self, *, hydra_context: "HydraContext", task_function: "TaskFunction", config: "DictConfig"
    ) -> None:
        """Keep what Hydra hands over."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Carry out the search."""
        from omegaconf import OmegaConf

        from experiments.sweep.options import Options, check_installed

        options = Options(**self.options)
        options.check()
        check_installed(options.sampler)
        from experiments.sweep.search import search  # it imports Optuna

        context, config = self.hydra_context, self.config
        assert context is not None
        assert config is not None
        params: Any = self.params or {}
        if OmegaConf.is_config(params):
            params = OmegaConf.to_container(params, resolve=True)

        def make_carrier(config: "DictConfig") -> Any:
            from experiments.sweep.carriers import foreign_carrier

            launcher = Plugins.instance().instantiate_launcher(
                hydra_context=context, task_function=self.task_function, config=config
            )
            own = getattr(launcher, "carrier", None)
            return own() if own else foreign_carrier(launcher)

        search(config, context.config_loader, arguments, params, options, make_carrier)
