"""What our launchers and sweepers share: Hydra hands a command over, and experiments.sweep has it.

The underscore keeps Hydra from looking for plugins in here.
"""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from experiments.config.composer import Composer
    from experiments.sweep.jobs.carrier import Carrier


class PlanLauncher(Launcher):
    """Carries out the plans of our sweepers."""

    def __init__(self, **options: Any) -> None:
        self.options = {key: plain(value) for key, value in options.items()}

    def setup(
        self, *, hydra_context: "HydraContext", task_function: "TaskFunction", config: "DictConfig"
    ) -> None:
        """Refuse what cannot be done here."""
        self.check()
        self.retry_failed = config.sweep.retry_failed

    @abstractmethod
    def check(self) -> None:
        """Raise UserError for options that cannot be."""

    @abstractmethod
    def carrier(self, composer: "Composer") -> AbstractContextManager["Carrier"]:
        """Return who carries out jobs."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence["JobReturn"]:
        """Refuse another sweeper's jobs, which would be carried out without a plan."""
        from experiments.errors.messages import user_error

        raise user_error("foreign_sweeper")


class PlanSweeper(Sweeper):
    """Keeps what Hydra hands over, and makes the carrier of the command's launcher."""

    def setup(
        self, *, hydra_context: "HydraContext", task_function: "TaskFunction", config: "DictConfig"
    ) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def make_carrier(self, config: "DictConfig", composer: "Composer") -> Any:
        from contextlib import nullcontext

        from experiments.config.hydra_versions import with_controls_of
        from experiments.sweep.jobs.hydra_launchers import HydraCarrier

        assert self.hydra_context is not None
        assert self.task_function is not None
        given: dict[str, Any] = {
            "hydra_context": self.hydra_context,
            "task_function": self.task_function,
        }
        launcher = Plugins.instance().instantiate_launcher(config=config, **given)
        if isinstance(launcher, PlanLauncher):
            return launcher.carrier(composer)
        launcher.setup(config=with_controls_of(config, composer.whole(())), **given)
        return nullcontext(HydraCarrier(launcher))


def plain(value: Any) -> Any:
    """Return a node of a config in plain values."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
