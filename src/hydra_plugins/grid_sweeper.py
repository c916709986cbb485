"""`hydra/sweeper=grid`: every combination of values, each run once, however often asked for."""

# No postponed annotations: Hydra runs this file before it is a known module, and dataclasses
# would look their words up in it.
from dataclasses import dataclass, field
from typing import Any, Optional

from hydra.core.config_store import ConfigStore

from hydra_plugins._handover import PlanSweeper, plain


@dataclass
class GridSweeperConfig:
    """See docs/sweeps.md.

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


class GridSweeper(PlanSweeper):
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

    def sweep(self, arguments: list[str]) -> None:
        """Carry out the jobs of the grid."""
        from experiments.sweep.declaration import seeds_of
        from experiments.sweep.grid import Grid, grid_of
        from experiments.sweep.planned_looks import seeds_to_plan
        from experiments.sweep.start import start_sweep

        assert self.hydra_context is not None
        assert self.config is not None
        node, loader = plain(self.config.sweep), self.hydra_context.config_loader

        def make_grid() -> Grid:
            given = plain(self.params), plain(self.cases), plain(self.when)
            seeds = seeds_to_plan(node, seeds_of(node["seeds"]))
            return grid_of(arguments, *given, seeds, loader)

        start_sweep(self.config, loader, make_grid, self.make_carrier)
