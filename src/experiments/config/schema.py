"""The types of our own config keys, with their ranges and choices, known without importing torch.

Plain YAML would let `seed=abc` pass; these dataclasses stand in Hydra's ConfigStore, and the files
of conf/ build on them (`defaults: [/schema/model/cnn@_here_]`). What a catalogue entry takes
beyond them (lr, negative_slope, noise, ...) is held against the signature of its class or
function when that is built (entries.py), so that a new entry needs no dataclass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from omegaconf import MISSING

from experiments.config.allowed import (
    Allowed,
    among,
    at_least,
    is_count,
    is_duration,
    is_part_or_count,
    where,
)
from experiments.config.model_schema import (
    CNNConfig,
    EntryConfig,
    GRUConfig,
    LinearConfig,
    MLPConfig,
    ResNetConfig,
    TorchvisionConfig,
    TransformerConfig,
)
from experiments.record.same_data import ALLOW, REFUSE

PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true")
STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true")
CHANGED_CODE = ("keep", "anew")
COMPARISONS = ("control", "all_pairs")
SIGN_FLIP, DUNNETT = TESTS = ("sign_flip", "dunnett")
SETTLED = "settled"
OBRIEN_FLEMING, POCOCK = SPENDINGS = ("obrien_fleming", "pocock")
SPENDING = OBRIEN_FLEMING
LARGEST_SEED = 2**32 - 1
PART_OR_COUNT = "a number of batches, or a part of them up to 1.0"
COUNT_OR_AUTO = "auto or a whole number of at least 1"

WANDB_NAME = "a name of 1 to 128 characters without / \\ # ? % : or spaces at its ends"
LONGEST_TIMEOUT = 86400


def is_wandb_name(name: str) -> bool:
    """Return whether W&B takes a name as that of a project or an entity."""
    return re.fullmatch(r"[^/\\#?%:\x00-\x1f]{1,128}", name) is not None and name == name.strip()


def are_tags(tags: list[str]) -> bool:
    """Return whether W&B takes all of these as tags of a run."""
    return all(0 < len(tag) <= 64 and tag.strip() for tag in tags)


def are_looks(looks: Any) -> bool:
    """Return whether a list holds numbers of seeds at which a sweep can be looked at.

    >>> are_looks([6, 9, 12]), are_looks([6, 6]), are_looks([1, 6]), are_looks([]), are_looks(6)
    (True, False, False, False, False)
    """
    is_list = isinstance(looks, list) and bool(looks)
    return is_list and all(is_count(n, least=2) for n in looks) and sorted(set(looks)) == looks


@dataclass
class OptimConfig(EntryConfig):
    full_batch: bool = False
    no_decay: Any = field(default_factory=list)


@dataclass
class AugmentConfig:
    random_crop: int = 0
    horizontal_flip: float = 0.0
    cutout: int = 0
    noise: float = 0.0
    mixup: float = 0.0


@dataclass
class DataConfig(EntryConfig):
    batch_size: Union[int, str] = 64  # noqa: UP007
    val_fraction: float = 0.1
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    pixel_shuffle: bool = False
    test_shift: int = 0
    memory_limit: float = where(4.0, lambda size: size >= 0, "a number of at least 0", 4)
    num_workers: int = where(2, lambda number: number >= 0, "a number of at least 0", 2)
    split_seed: int = 0
    folds: Optional[int] = where(  # noqa: UP045
        None, lambda number: number >= 2, "a whole number of at least 2, or null for none", 5
    )
    fold: int = where(0, lambda number: number >= 0, "a fold's number from 0", 0)
    num_train: Union[int, str] = where(  # noqa: UP007
        "all", is_count, "all, or a whole number of training points", 1000
    )
    label_noise: float = where(
        0.0, lambda share: 0 <= share <= 1, "a share of the training labels, from 0 to 1", 0.15
    )
    sampler: str = among("shuffle", ("shuffle", "balanced"))
    normalize: str = "standardize"


OF_BATCHES = tuple(DataConfig.__annotations__)
"""Keys of `data` that say how points become batches, and nothing about which points there are."""


@dataclass
class TrainerConfig:
    accelerator: str = "auto"
    devices: Any = 1
    num_nodes: int = at_least(1, 1)
    strategy: str = among("auto", STRATEGIES)
    precision: str = among("32-true", PRECISIONS)
    max_epochs: int = where(
        20, lambda number: number >= 1 or number == -1, "a whole number of at least 1", 20
    )
    max_steps: int = where(
        -1, lambda number: number >= 1, "-1 (no limit) or a whole number of at least 1", 1000
    )
    max_time: Optional[str] = where(  # noqa: UP045
        None,
        is_duration,
        "a time above 0 as days:hours:minutes:seconds, or null",
        "00:01:30:00",
    )
    gradient_clip_val: Optional[float] = where(  # noqa: UP045
        None, lambda norm: norm > 0, "a number above 0, or null for no clipping", 1.0
    )
    gradient_clip_algorithm: str = among("norm", ("norm", "value"))
    accumulate_grad_batches: int = at_least(1, 1)
    ema_decay: Optional[float] = where(  # noqa: UP045
        None,
        lambda decay: 0 <= decay < 1,
        "a number from 0 up to below 1, or null for no average",
        0.99,
    )
    val_check_interval: Union[int, float] = where(  # noqa: UP007
        1.0,
        lambda part: is_count(part) or (isinstance(part, float) and 0 < part <= 1),
        "a number of optimizer steps (100), or a part of an epoch from 0 to 1 (0.25)",
        1.0,
    )
    check_val_every_n_epoch: int = at_least(1, 1)
    limit_train_batches: Union[int, float, None] = where(  # noqa: UP007
        None,
        lambda limit: limit != 0 and is_part_or_count(limit),
        "a number of batches, or a part of them up to 1.0, above 0",
        2,
    )
    limit_val_batches: Union[int, float, None] = where(  # noqa: UP007
        None, is_part_or_count, PART_OR_COUNT, 2
    )
    limit_test_batches: Union[int, float, None] = where(  # noqa: UP007
        None, is_part_or_count, PART_OR_COUNT, 2
    )
    overfit_batches: Union[int, float] = at_least(0, 0, instead=3)  # noqa: UP007
    log_every_n_steps: int = at_least(0, 0)
    sync_batchnorm: bool = False
    threads: Union[int, str] = where("auto", is_count, COUNT_OR_AUTO, "auto")  # noqa: UP007
    matmul_precision: str = among("highest", ("highest", "high", "medium"))
    deterministic: bool = False
    detect_anomaly: bool = False
    profiler: Optional[str] = among(None, ("simple", "advanced", "pytorch"))  # noqa: UP045


@dataclass
class SchedulerConfig:
    """What all choices share; they are no structured configs, as each class has keys of its own."""

    interval: str = among("epoch", ("epoch", "step"))


@dataclass
class CheckpointConfig:
    monitor: str = "auto"
    mode: str = among("auto", ("auto", "min", "max"))
    every_n_steps: int = at_least(0, 0)
    every_seconds: Optional[float] = where(  # noqa: UP045
        600.0,
        lambda seconds: seconds is None or seconds > 0,
        "a number of seconds above 0, or null for none",
        600,
    )


@dataclass
class FilesConfig:
    name: str = MISSING
    also: dict[str, Any] = field(default_factory=dict)


@dataclass
class LoggerConfig:
    name: str = MISSING
    project: Optional[str] = where(None, is_wandb_name, WANDB_NAME, "vision")  # noqa: UP045
    entity: Optional[str] = where(None, is_wandb_name, WANDB_NAME, "lab")  # noqa: UP045
    mode: str = among("auto", ("auto", "online", "offline", "disabled"))
    media: Any = among("auto", ("auto", "true", "false"))  # noqa: RUF009
    log_model: bool = False
    finish_timeout: float = where(
        30.0, lambda s: 0 < s <= LONGEST_TIMEOUT, "seconds above 0, at most 86400", 30
    )
    tags: list[str] = field(
        default_factory=list,
        metadata={"allowed": Allowed(are_tags, "tags of 1 to 64 characters each", ["baseline"])},
    )
    notes: Optional[str] = None  # noqa: UP045
    also: dict[str, Any] = field(default_factory=dict)


@dataclass
class PathsConfig:
    output: str = "outputs"


@dataclass
class TuningConfig:
    seeds: list[int] = field(default_factory=lambda: [1000, 1001, 1002])
    trials: Optional[int] = None  # noqa: UP045
    space: Any = None
    space_seed: int = at_least(0, 0)


@dataclass
class SweepConfig:
    factor: Any = None
    control: Any = None
    metric: str = "auto"
    delta: Optional[float] = where(  # noqa: UP045
        None, lambda delta: delta > 0, "a number above 0, in the metric's unit", 0.0025
    )
    comparisons: str = among("control", COMPARISONS)
    test: str = among(SIGN_FLIP, TESTS)
    allow: Any = None
    seeds: Any = None
    until: Optional[str] = among(None, (SETTLED,))  # noqa: UP045
    looks: Any = where(  # noqa: RUF009
        None, are_looks, "a list of increasing numbers of seeds, from 2 on", [6, 9, 12, 16, 20]
    )
    max_seeds: Optional[int] = where(  # noqa: UP045
        None, lambda number: number >= 2, "a whole number of at least 2", 20
    )
    spending: str = among(SPENDING, SPENDINGS)
    retry_failed: bool = False
    dry_run: bool = False
    changed_code: Optional[str] = among(None, CHANGED_CODE)  # noqa: UP045
    tuning: TuningConfig = field(default_factory=TuningConfig)


@dataclass
class ExperimentConfig:
    """All of a run. The groups are Any here: each choice brings a type of its own."""

    # numpy and torch both take these.
    seed: int = where(0, lambda seed: 0 <= seed <= LARGEST_SEED, f"0 to {LARGEST_SEED}", 0)
    test: bool = True
    keep_predictions: bool = True
    resume: Optional[str] = None  # noqa: UP045
    again: Optional[str] = None  # noqa: UP045
    changed_data: str = among(REFUSE, (REFUSE, ALLOW))
    changed_code: str = among(REFUSE, (REFUSE, ALLOW))
    trusted: list[str] = field(default_factory=list)
    progress: str = among("auto", ("auto", "bar", "lines", "none"))
    log_full_loss: bool = False
    steps_per_execution: Union[int, str] = where(  # noqa: UP007
        "auto", is_count, COUNT_OR_AUTO, "auto"
    )
    compile: bool = False
    protocol: str = among("fixed", ("fixed", "tuned"))
    model: Any = MISSING
    activation: Any = MISSING
    init: Any = MISSING
    loss: Any = MISSING
    optim: Any = MISSING
    scheduler: Any = MISSING
    data: Any = MISSING
    trainer: Any = MISSING
    logger: Any = MISSING
    callbacks: Any = MISSING
    metrics: Any = field(default_factory=dict)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    paths: PathsConfig = field(default_factory=PathsConfig)


@dataclass
class ComparisonConfig:
    """All of a comparison; what is None is taken from the sweep's declaration."""

    runs: Any = None
    source: Optional[str] = None  # noqa: UP045
    factor: Any = None
    control: Any = None
    metric: Optional[str] = None  # noqa: UP045
    delta: Optional[float] = None  # noqa: UP045
    comparisons: Optional[str] = None  # noqa: UP045
    test: Optional[str] = None  # noqa: UP045
    alpha: float = 0.05
    allow: list[str] = field(default_factory=list)
    name: Optional[str] = None  # noqa: UP045
    wandb: str = "auto"
    dashboard: bool = False
    paths: PathsConfig = field(default_factory=PathsConfig)


@dataclass
class FiguresConfig:
    """What all figures share; each adds keys of its own."""

    formats: list[str] = field(default_factory=lambda: ["svg", "png"])
    themes: list[str] = field(default_factory=lambda: ["light", "dark"])
    dpi: int = 240
    animate: bool = True
    trusted: list[str] = field(default_factory=list)
    name: Optional[str] = None  # noqa: UP045
    paths: PathsConfig = field(default_factory=PathsConfig)


MODELS: dict[str, type] = {
    "linear": LinearConfig,
    "mlp": MLPConfig,
    "cnn": CNNConfig,
    "resnet": ResNetConfig,
    "torchvision": TorchvisionConfig,
    "gru": GRUConfig,
    "transformer": TransformerConfig,
}
"""The types of the keys of each model."""
GROUPS = {
    "data": DataConfig,
    "logger": LoggerConfig,
    "scheduler": SchedulerConfig,
    "trainer": TrainerConfig,
}
"""Groups of an experiment whose keys have ranges and choices."""
