"""`hydra/sweeper=grid`: every combination of values, each run once, however often asked for."""

# No postponed annotations: Hydra runs this file before it is a known module, and dataclasses
# would look their words up in it.
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


@dataclass
class GridSweeperConfig:
    """See the README's section on sweeps.

    Attributes:
        params: the values of each key, as they would be typed.
        cases: rows of values that belong together; each job takes one row.
        when: further values for the jobs where `key=value` holds.
        swept: filled in: the keys that differ between jobs.
    """

    _target_: str = "hydra_plugins.grid_sweeper.GridSweeper"
    params: Optional[dict[str, Any]] = None  # noqa: UP045
    cases: list[Any] = field(default_factory=list)
    when: dict[str, Any] = field(default_factory=dict)
    swept: Optional[list[str]] = None  # noqa: UP045


ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConfig)


class GridSweeper(Sweeper):
    """Hands the command over to experiments.sweep."""

    def __init__(
        self,
        params: dict[str, Any] | None = None,
        cases: list[Any] | None = None,
        when: dict[str, Any] | None = None,
        swept: list[str] | None = None,
    ) -> None:
        self.params = params or {}
        self.cases = cases or []
        self.when = when or {}

    def setup(
        self, *, hydra_context: "HydraContext", task_function: "TaskFunction", config: "DictConfig"
    ) -> None:
        """Keep what Hydra hands over."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Carry out the jobs of the grid."""
        from experiments.sweep.declaration import seeds_of
        from experiments.sweep.grid import Grid, grid_of
        from experiments.sweep.sweeping import sweep

        context, config = self.hydra_context, self.config
        assert context is not None
        assert config is not None
        loader = context.config_loader

        def make_grid() -> Grid:
            seeds = seeds_of(plain(config.sweep.seeds))
            return grid_of(
                arguments, plain(self.params), plain(self.cases), plain(self.when), seeds, loader
            )

        def make_carrier(config: "DictConfig") -> Any:
            from experiments.sweep.carriers import foreign_carrier

            launcher = Plugins.instance().instantiate_launcher(
                hydra_context=context, task_function=self.task_function, config=config
            )
            own = getattr(launcher, "carrier", None)
            return own() if own else foreign_carrier(launcher)

        sweep(config, loader, make_grid, make_carrier)


def plain(value: Any) -> Any:
    """Return a node of a config in plain values."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
