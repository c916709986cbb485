"""All parts of a run, built and held against each other before anything is written."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

from lightning.pytorch.callbacks import Callback
from torchmetrics import Metric

from experiments.config.entries import Config, call_or_refuse, called
from experiments.config.foreign_code import foreign_code
from experiments.config.given_code import check_importable
from experiments.data.after_cut import check_learnable, check_monitored
from experiments.data.augmentation import check_mixing
from experiments.data.datamodule import DataModule
from experiments.record.identity import identity_of, setting_of
from experiments.record.record import Record
from experiments.training import build, check, devices, launched
from experiments.training.added_metrics import build_tables
from experiments.training.module import ExperimentModule
from experiments.training.recipe import Recipe, build_recipe
from experiments.training.smallest_batch import check_smallest_batch
from experiments.training.trainer import RunTrainer, build_trainer, execution_of, monitor_of
from experiments.training.user_module import Tried, UserModule
from experiments.training.user_trial import check_names, check_offered
from experiments.training.weighted_loss import check_whole_batches


@dataclass(frozen=True)
class RunParts:
    """A run of which all parts are built and held against each other, and nothing is written yet.

    Attributes:
        multiplications: of a forward pass for one point.
        code: of somebody else's, by module.
        num_activation_parameters: weights beyond those of the same network without activation.
        tables: metrics that are counted once, with the selected weights.
        before: the record of the run that this one goes on from, or repeats; None for none.
    """

    config: Config
    datamodule: DataModule
    module: ExperimentModule
    recipe: Recipe
    callbacks: list[Callback]
    trainer: RunTrainer
    accelerator: str
    num_devices: int
    data_checksum: str
    multiplications: int
    num_activation_parameters: int | None
    code: dict[str, str]
    tables: dict[str, Metric]
    before: Record | None = None

    def going_on(self, before: Record | None) -> RunParts:
        """Return the parts of a run that goes on from another, or repeats it."""
        return dataclasses.replace(self, before=before)

    @property
    def identity(self) -> str:
        return identity_of(self.config, self.data_checksum, self.code)

    @property
    def setting(self) -> str:
        """The identity without the seed."""
        return setting_of(self.config, self.data_checksum, self.code)

    @property
    def num_ranks(self) -> int:
        return int(self.num_devices * self.config["trainer"]["num_nodes"])

    @property
    def rank(self) -> int:
        return launched.this_rank(self.num_ranks)

    @functools.cached_property
    def num_threads(self) -> int:  # asked once: what others leave of the machine changes
        """CPU threads; of a run that has begun as many as before, by which its sums are rounded."""
        threads = devices.threads_before(self.before, self.accelerator)
        if threads is not None and self.config["trainer"]["threads"] == "auto":
            return threads
        multiplications = self.datamodule.batch_size * self.multiplications
        wanted, cores = self.config["trainer"]["threads"], devices.cores_to_use()
        return devices.choose_threads(wanted, multiplications, cores, self.num_devices)

    @property
    def num_parameters(self) -> int:
        return sum(p.numel() for p in self.module.network.parameters() if p.requires_grad)

    @property
    def facts(self) -> dict[str, str]:
        """What a user is told of the run before it starts."""
        data, spec = self.datamodule, self.datamodule.spec
        of_activation = self.num_activation_parameters
        what = f"{spec.num_outputs} classes" if spec.task == "classification" else spec.task
        read = data.facts.values.get("understood", {})
        return {
            **self.facts_of_user_module,
            **{key: read[key] for key in ("table", "target", "arrays", "images") if key in read},
            "parameters": f"{self.num_parameters:,}"
            + (f", {of_activation:+,} by the activation" if of_activation else ""),
            "data": f"{len(data.train):,} training, {len(data.val):,} validation, "
            f"{len(data.test):,} test points of shape {spec.shape}, {what}"
            + (f"; {data.num_redrawn:,} training labels drawn anew" if data.num_redrawn else ""),
            "device": f"{self.num_devices} x {self.accelerator}, "
            + ("1 thread, " if self.num_threads == 1 else f"{self.num_threads} threads, ")
            + self.config["trainer"]["precision"],
        }

    @property
    def facts_of_user_module(self) -> dict[str, str]:
        if not isinstance(self.module, UserModule):
            return {}
        name, size = self.config["model"]["name"], self.config["data"]["batch_size"]
        return {"setting": f"{name}, with its own loss, optimizer and schedule, batch {size}"}


def build_run(config: Config, *more_callbacks: Callback) -> RunParts:
    """Load the data and build all parts of a run, or raise UserError; nothing is written.

    Args:
        config: in plain values, which `check_config` has let pass.
        more_callbacks: beside those of the config.
    """
    accelerator, num_devices = devices.choose_devices(config["trainer"])
    num_ranks = num_devices * config["trainer"]["num_nodes"]
    check_importable(config, num_ranks)
    recipe = build_recipe(config)
    check.check_recipe(config, recipe, num_ranks)
    data = build.load_data(config)
    callbacks = [*build.build_callbacks(config), *more_callbacks]
    execution = execution_of(config, callbacks, num_ranks)
    module = build.build_module(config, data.spec, recipe, execution)
    tables = build_tables(config, data.spec)
    tried = build.try_foreign(config, module.network, module.loss, module.spec)
    user = take_tried(config, module, tried, callbacks, num_ranks)
    check.check_network(config, module.network, recipe, accelerator, num_devices)
    work = devices.UNKNOWN_WORK
    if module.is_measurable:
        work = devices.work_of(module.network, data.spec.shape)
    at_once = not execution.by_batch and user is None
    datamodule = build.build_datamodule(config, data, work, at_once=at_once)
    datamodule.hand_out = user.hand_out if user else None
    check_whole_batches(config, module.loss, num_ranks)
    check_mixing(datamodule.augmentation, module.loss, config["loss"]["name"], num_ranks)
    check_learnable(datamodule)
    build.fit_normalization(module, datamodule, config["data"]["normalize"])
    check.check_bits(module, accelerator, config["data"]["name"])
    names = module.measured_names(config)
    monitor, mode = monitor_of(config, names, len(datamodule.val) > 0)
    check.check_monitors(callbacks, names, has_validation=monitor is not None)
    check_monitored(datamodule, monitor)
    check.check_intervals(config, datamodule, has_validation=monitor is not None)
    if module.is_measurable:
        check_smallest_batch(config["trainer"], module.network, datamodule, num_ranks)
    rank = launched.this_rank(num_ranks)
    make_trainer = functools.partial(
        build_trainer, config, (monitor, mode), accelerator, num_devices, rank, callbacks, user
    )
    return RunParts(
        config,
        datamodule,
        module,
        recipe,
        callbacks,
        call_or_refuse("trainer", make_trainer, "Lightning's Trainer"),
        accelerator,
        num_devices,
        data.checksum(),
        work.multiplications,
        build.num_activation_parameters(config, module),
        foreign_code(config),
        tables,
    )


def take_tried(
    config: Config,
    module: ExperimentModule,
    tried: Tried | None,
    callbacks: list[Callback],
    num_ranks: int,
) -> UserModule | None:
    """Make a LightningModule that was tried ready to be trained, and return what is around it."""
    if tried is None or not isinstance(module, UserModule):
        return None
    check_offered(config, callbacks, num_ranks)
    check_names(config, tried, called(type(module.network)))
    module.prepare(tried)
    return module
