"""The types of our own config keys, known to Hydra without importing torch.

Plain YAML would let `seed=abc` pass; these dataclasses stand in Hydra's ConfigStore, and the files
of conf/ build on them (`defaults: [/schema/model/cnn@_here_]`). What a catalogue entry takes
beyond them (lr, negative_slope, noise, ...) is held against the signature of its class or
function when that is built (building.py), so that a new entry needs no dataclass.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import MISSING, DictConfig, OmegaConf

from experiments.records import NOT_IN_IDENTITY, canonical

NO_PART_OF_A_NAME = tuple(key for key in NOT_IN_IDENTITY if key != "protocol")

# OmegaConf reads these annotations and has unions of plain types only: a key that takes one value
# or one per layer is Any here, and checked where the layers are built.


@dataclass
class LinearConfig:
    name: str = MISSING
    _target_: str = MISSING
    phi_out: str = "identity"


@dataclass
class MLPConfig:
    name: str = MISSING
    _target_: str = MISSING
    hidden: list[int] = field(default_factory=list)
    norm: Any = "none"
    norm_groups: int = 8
    dropout: Any = 0.0
    residual: bool = False
    phi_out: str = "identity"


@dataclass
class CNNConfig:
    name: str = MISSING
    _target_: str = MISSING
    channels: list[int] = field(default_factory=list)
    kernel_size: Any = 3
    stride: Any = 1
    padding: Any = "same"
    pool: Any = "max"
    pool_size: Any = 2
    norm: Any = "none"
    norm_groups: int = 8
    dropout: Any = 0.0
    dense: list[int] = field(default_factory=list)
    phi_out: str = "identity"


@dataclass
class OptimConfig:
    name: str = MISSING
    _target_: str = MISSING
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
class DataConfig:
    name: str = MISSING
    _target_: str = MISSING
    batch_size: Union[int, str] = 64  # noqa: UP007
    val_fraction: float = 0.1
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    pixel_shuffle: bool = False
    test_shift: int = 0
    memory_limit: float = 4.0
    num_workers: int = 2
    split_seed: int = 0
    normalize: str = "standardize"


@dataclass
class TrainerConfig:
    accelerator: str = "auto"
    devices: Any = 1
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    max_epochs: int = 20
    max_steps: int = -1
    max_time: Optional[str] = None  # noqa: UP045
    gradient_clip_val: Optional[float] = None  # noqa: UP045
    gradient_clip_algorithm: str = "norm"
    accumulate_grad_batches: int = 1
    ema_decay: Optional[float] = None  # noqa: UP045
    val_check_interval: Union[int, float] = 1.0  # noqa: UP007
    check_val_every_n_epoch: int = 1
    limit_train_batches: Union[int, float, None] = None  # noqa: UP007
    limit_val_batches: Union[int, float, None] = None  # noqa: UP007
    limit_test_batches: Union[int, float, None] = None  # noqa: UP007
    overfit_batches: Union[int, float] = 0  # noqa: UP007
    log_every_n_steps: int = 0
    sync_batchnorm: bool = False
    threads: Union[int, str] = "auto"  # noqa: UP007
    matmul_precision: str = "highest"
    deterministic: bool = False
    detect_anomaly: bool = False
    profiler: Optional[str] = None  # noqa: UP045


@dataclass
class CheckpointConfig:
    monitor: str = "auto"
    mode: str = "auto"
    every_n_steps: int = 0


@dataclass
class FilesConfig:
    name: str = MISSING


@dataclass
class LoggerConfig:
    name: str = MISSING
    project: str = "experiments"
    entity: Optional[str] = None  # noqa: UP045
    mode: str = "auto"
    media: Any = "auto"
    log_model: bool = False
    tags: list[str] = field(default_factory=list)
    notes: Optional[str] = None  # noqa: UP045


@dataclass
class PathsConfig:
    output: str = "outputs"


@dataclass
class TuningConfig:
    seeds: list[int] = field(default_factory=lambda: [1000, 1001, 1002])
    trials: Optional[int] = None  # noqa: UP045


@dataclass
class SweepConfig:
    factor: Any = None
    control: Any = None
    metric: str = "auto"
    delta: Optional[float] = None  # noqa: UP045
    comparisons: str = "control"
    seeds: Any = None
    retry_failed: bool = False
    dry_run: bool = False
    tuning: TuningConfig = field(default_factory=TuningConfig)


@dataclass
class ExperimentConfig:
    """All of a run. The groups are Any here: each choice brings a type of its own."""

    seed: int = 0
    test: bool = True
    resume: Optional[str] = None  # noqa: UP045
    progress: str = "auto"
    log_full_loss: bool = False
    steps_per_execution: Union[int, str] = "auto"  # noqa: UP007
    compile: bool = False
    protocol: str = "fixed"
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
    dpi: int = 150
    animate: bool = True
    name: Optional[str] = None  # noqa: UP045
    paths: PathsConfig = field(default_factory=PathsConfig)


def extendable(schema: type) -> DictConfig:
    """Return a schema whose keys are typed and to which a file may add keys of its own."""
    node: DictConfig = OmegaConf.structured(schema)
    OmegaConf.set_struct(node, False)
    return node


def joinable(schema: type) -> DictConfig:
    """Return a schema that another one may be merged with: its keys are typed, the whole is not."""
    node = extendable(schema)
    node._metadata.object_type = dict  # two structured types would not merge
    return node


def multirun_name(overrides: list[str]) -> str:
    """Return the name of an unnamed multirun: a hash of its overrides without the seed.

    The same question finds the same folder: neither order nor spelling matter, nor what cannot
    change a result, nor which values a swept key takes, so that further values join the others.

    >>> multirun_name(["optim.lr=0.1,1", "seed=0"]) == multirun_name(["optim.lr=1e-1", "seed=1"])
    False
    >>> multirun_name(["optim.lr=1e-1,3", "data=a"]) == multirun_name(["data=a", "optim.lr=1,3"])
    True
    >>> multirun_name(["data=b", "a=1,2", "++data=a"]) == multirun_name(["a=1,2", "data=a"])
    True
    """
    kept: dict[str, str] = {}
    for override in OverridesParser.create().parse_overrides(overrides):
        key = override.get_key_element()
        if key.lstrip("+~") == "seed" or is_within(key.lstrip("+~"), NO_PART_OF_A_NAME):
            continue
        # Of a key that is typed twice the last value counts; + and ++ set it as well.
        is_swept, key = override.is_sweep_override(), key.lstrip("+")
        kept[key.lstrip("~")] = key if is_swept else f"{key}={canonical(override.value())}"
    return hashlib.blake2b("\n".join(sorted(kept.values())).encode(), digest_size=4).hexdigest()


def is_within(key: str, keys: tuple[str, ...]) -> bool:
    """Return whether a dotted key is one of `keys` or lies below one.

    >>> is_within("optim.search.lr", ("optim.search",)), is_within("loggers", ("logger",))
    (True, False)
    """
    return any(key == one or key.startswith(f"{one}.") for one in keys)


def register() -> None:
    """Make the schemas and the resolver of sweep names known to Hydra."""
    store = ConfigStore.instance().store
    store(group="schema", name="experiment", node=ExperimentConfig, package="_global_")
    store(group="schema", name="comparison", node=ComparisonConfig, package="_global_")
    store(group="schema", name="figures", node=extendable(FiguresConfig), package="_global_")
    store(group="schema", name="training", node=joinable(ExperimentConfig), package="_global_")
    store(group="schema", name="data", node=extendable(DataConfig))
    store(group="schema", name="optim", node=extendable(OptimConfig))
    store(group="schema", name="trainer", node=TrainerConfig)
    store(group="schema/logger", name="wandb", node=LoggerConfig)
    store(group="schema/logger", name="files", node=FilesConfig)
    store(group="schema/model", name="linear", node=LinearConfig)
    store(group="schema/model", name="mlp", node=MLPConfig)
    store(group="schema/model", name="cnn", node=CNNConfig)
    # Cached: Hydra hands the cache to every job, whose own overrides hold single values.
    OmegaConf.register_new_resolver(
        "multirun_name",
        lambda overrides: multirun_name(list(overrides)),
        use_cache=True,
        replace=True,
    )
