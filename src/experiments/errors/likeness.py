"""Which of the words that there are was probably meant by one that there is not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

SYNONYMS = {
    "criterion": "loss",
    "dataset": "data",
    "learning_rate": "lr",
    "network": "model",
    "random_state": "seed",
}
"""What is called otherwise elsewhere."""

COLLECTION = "pytorch_optimizer optim.name="
OF_TORCHVISION = "torchvision model.name="

OTHER_CHOICES: dict[str, dict[str, str | None]] = {
    "model": {
        **dict.fromkeys(("perceptron", "fc", "dense", "fullyconnected", "feedforward"), "mlp"),
        **dict.fromkeys(("ffn", "ann", "dnn", "neuralnetwork", "multilayerperceptron"), "mlp"),
        **dict.fromkeys(("logisticregression", "linearregression", "logreg", "softmax"), "linear"),
        **dict.fromkeys(("conv", "convnet", "conv2d", "lenet", "convolutional"), "cnn"),
        **dict.fromkeys(("rnn", "lstm", "bigru", "recurrent"), "gru"),
        **dict.fromkeys(("attention", "encoder", "tinyvit"), "transformer"),
        **{f"resnet{depth}": f"resnet model.depth={depth}" for depth in (8, 14, 20, 32, 44, 56)},
        **{
            name.replace("_", ""): f"{OF_TORCHVISION}{name}"
            for name in (
                *("resnet18", "resnet34", "resnet50", "resnet101", "alexnet", "vgg11", "vgg16"),
                *("vgg19", "densenet121", "googlenet", "inception_v3", "mobilenet_v2"),
                *("mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "squeezenet1_1"),
                *("convnext_tiny", "regnet_y_400mf", "swin_t", "vit_b_16", "wide_resnet50_2"),
            )
        },
        **dict.fromkeys(("vgg", "vggnet"), f"{OF_TORCHVISION}vgg16"),
        **dict.fromkeys(("vit", "visiontransformer"), f"{OF_TORCHVISION}vit_b_16"),
        **dict.fromkeys(("densenet",), f"{OF_TORCHVISION}densenet121"),
        **dict.fromkeys(("mobilenet",), f"{OF_TORCHVISION}mobilenet_v3_small"),
        **dict.fromkeys(("efficientnet",), f"{OF_TORCHVISION}efficientnet_b0"),
    },
    "activation": {
        **dict.fromkeys(("none", "null", "linear", "no"), "identity"),
        **dict.fromkeys(("logistic", "expit", "sigm"), "sigmoid"),
        **dict.fromkeys(("softmax", "logsoftmax", "heaviside", "step"), None),
        "hardsilu": "hardswish",
        "sin": "sine",
    },
    "init": {
        **dict.fromkeys(("glorot", "glorotuniform", "glorotnormal"), "xavier"),
        **dict.fromkeys(("he", "henormal", "heuniform", "msra"), "kaiming"),
        **dict.fromkeys(("none", "null", "pytorch", "torch"), "default"),
        **dict.fromkeys(("zeros", "ones", "constant", "uniform"), None),
        "normal": "truncated_normal",
        "lecunnormal": "lecun",
    },
    "loss": {
        **dict.fromkeys(("ce", "xent", "crossentropy", "categoricalcrossentropy"), "cross_entropy"),
        **dict.fromkeys(("sparsecategoricalcrossentropy", "softmax", "logloss"), "cross_entropy"),
        **dict.fromkeys(("bce", "bceloss", "binarycrossentropy"), "bce_with_logits"),
        **dict.fromkeys(("l1", "l1loss", "meanabsoluteerror", "absolute"), "mae"),
        **dict.fromkeys(("l2", "l2loss", "meansquarederror", "squared", "rmse"), "mse"),
        **dict.fromkeys(("smoothl1", "smoothl1loss"), "huber"),
        **dict.fromkeys(("hinge", "svm", "margin"), "multi_margin"),
        **dict.fromkeys(("nllloss", "negativeloglikelihood"), "nll"),
    },
    "optim": {
        **dict.fromkeys(("sgdmomentum", "heavyball"), "momentum"),
        **dict.fromkeys(("nag", "sgdnesterov"), "nesterov"),
        **dict.fromkeys(("gradientdescent", "batchgradientdescent"), "gd"),
        "stochasticgradientdescent": "sgd",
        **dict.fromkeys(("none", "null"), None),
        **{
            name: f"{COLLECTION}{name}"
            for name in ("lion", "lamb", "lars", "adabelief", "prodigy", "ranger", "shampoo")
        },
    },
    "scheduler": {
        **dict.fromkeys(("none", "null", "false", "off", "no", "fixed"), "constant"),
        **dict.fromkeys(("reducelronplateau", "reduceonplateau"), "plateau"),
        **dict.fromkeys(("warmup", "linearwarmup", "cosinewarmup"), "warmup_cosine"),
        "lambda": None,
    },
    "data": {"cifar": "cifar10", "twomoons": "moons", "images": "folder", "imagefolder": "folder"},
    "trainer": dict.fromkeys(("cuda", "nvidia"), "gpu"),
    "accelerator": {"cuda": "gpu"},
    "logger": {
        **dict.fromkeys(("false", "off", "no", "null", "disabled"), "none"),
        **dict.fromkeys(("wb", "weightsandbiases", "true", "on", "online", "offline"), "wandb"),
        **dict.fromkeys(("tb", "events"), "tensorboard"),
    },
    "callbacks": dict.fromkeys(("null", "false", "off", "no"), "none"),
    "debug": {"false": "none", "true": "fast_dev"},
    "mode": {
        **dict.fromkeys(("off", "false", "no", "none"), "disabled"),
        **dict.fromkeys(("lowest", "smallest"), "min"),
        **dict.fromkeys(("highest", "largest"), "max"),
    },
    "wandb": dict.fromkeys(("off", "false", "no", "none"), "disabled"),
    "progress": {
        **dict.fromkeys(("off", "false", "no", "quiet"), "none"),
        **dict.fromkeys(("tqdm", "rich", "true", "on"), "bar"),
    },
    "norm": {
        **dict.fromkeys(("null", "false", "no", "off", "identity"), "none"),
        **dict.fromkeys(("true", "yes", "on", "bn", "batchnorm1d", "batchnorm2d"), "batch"),
    },
    "shortcut": {
        **dict.fromkeys(("zeros", "pad", "a", "identity"), "padding"),
        **dict.fromkeys(("conv", "b", "c", "projected"), "projection"),
        **dict.fromkeys(("null", "false", "no", "off", "plain"), "none"),
    },
    "readout": {
        **dict.fromkeys(("flatten", "concat", "every"), "all"),
        **dict.fromkeys(("average", "avg", "meanpool"), "mean"),
        **dict.fromkeys(("final", "hidden"), "last"),
    },
    "freeze": {
        **dict.fromkeys(("null", "false", "no", "off"), "none"),
        **dict.fromkeys(("true", "yes", "all", "features", "encoder"), "backbone"),
    },
    "weights": dict.fromkeys(("true", "yes", "pretrained", "imagenet"), "DEFAULT"),
    "pool": {
        **dict.fromkeys(("null", "false", "no", "off"), "none"),
        **dict.fromkeys(("mean", "average", "averagepool"), "avg"),
    },
    "phi_out": dict.fromkeys(("none", "null", "linear", "no"), "identity"),
    "normalize": {
        **dict.fromkeys(("null", "false", "no", "off"), "none"),
        **dict.fromkeys(("true", "zscore", "standard", "mean_std"), "standardize"),
        "minmax": None,
    },
    "precision": {
        **dict.fromkeys(("32", "fp32", "float32", "full", "single"), "32-true"),
        **dict.fromkeys(("64", "fp64", "float64", "double"), "64-true"),
        **dict.fromkeys(("16", "fp16", "float16", "half", "mixed", "amp"), "16-mixed"),
        **dict.fromkeys(("bf16", "bfloat16"), "bf16-mixed"),
    },
    "gradient_clip_algorithm": {"l2": "norm", "euclidean": "norm", "max": "value"},
    "test": {
        **dict.fromkeys(("tukey", "pooled", "anova", "hsd"), "dunnett"),
        **dict.fromkeys(("exact", "permutation", "randomization", "wilcoxon"), "sign_flip"),
    },
    "until": dict.fromkeys(("significant", "decided", "done", "stopped", "true"), "settled"),
    "spending": dict.fromkeys(("obf", "of", "fleming", "conservative"), "obrien_fleming"),
    "comparisons": {"all": "all_pairs", "pairwise": "all_pairs", "baseline": "control"},
    "changed_data": {"true": "allow", "yes": "allow", "false": "refuse", "no": "refuse"},
}
"""What some choices are called elsewhere, by the last word of their key; None: none of ours is it.

Letters and digits only, in small letters.
"""

WORDS_FOR = {"acc": "accuracy", "err": "error", "valid": "val", "validation": "val"}
"""What parts of a name are short for."""


def other_choice(key: str, word: str) -> tuple[bool, str | None]:
    """Return whether a choice is known to be called otherwise elsewhere, and what ours is then.

    >>> other_choice("model.pool", "mean"), other_choice("activation", "Softmax")
    ((True, 'avg'), (True, None))
    """
    known = OTHER_CHOICES.get(key.rpartition(".")[2], {})
    plain = "".join(parts_of(word.removeprefix("torch.").removeprefix("nn.").replace("_", " ")))
    return plain in known, known.get(plain)


def nearest(word: str, choices: Iterable[str], least: float = 0.5, key: str = "") -> str | None:
    """Return the choice most like `word`, or None where nothing is alike.

    Args:
        key: whose choices they are, which may be called otherwise elsewhere.

    >>> nearest("rleu", ["relu", "elu", "tanh"]), nearest("lrelu", ["relu", "leaky_relu"])
    ('relu', 'leaky_relu')
    """
    choices = list(choices)
    is_known, ours = other_choice(key, word)
    if is_known and word not in choices and (ours is None or ours.split()[0] in choices):
        return ours
    alike = {choice: likeness_of_path(word, choice) for choice in choices}
    best = max(alike, key=alike.__getitem__, default=None)
    return best if best is not None and alike[best] >= least else None


def likeness_of_path(word: str, choice: str) -> float:
    """Return how alike a word and a choice are; of val/accuracy the end may be typed alone."""
    whole = likeness(word, choice)
    is_end = "/" in choice and "/" not in word and whole < 2
    return likeness(word, choice.rpartition("/")[2]) if is_end else whole


def likeness(word: str, choice: str) -> float:
    """Return how alike a word and a choice are: by their letters from 0 to 1.

    1 more where one is part of the other, or short for it; 2 more where only capitals, signs or the
    order of parts differ.

    >>> likeness("MNIST", "mnist"), likeness("epochs", "max_epochs"), likeness("ab", "cd")
    (3.0, 1.75, 0.0)
    """
    if SYNONYMS.get(word) == choice:
        return 3.0
    words, parts = parts_of(word), parts_of(choice)
    typed, whole = "".join(words), "".join(parts)
    letters = difflib.SequenceMatcher(None, choice.casefold(), word.casefold()).ratio()
    if typed == whole or sorted(words) == sorted(parts):
        return 2 + letters
    return letters + (is_part(words, parts) or is_part(parts, words) or is_short_for(typed, parts))


def parts_of(text: str) -> list[str]:
    return [WORDS_FOR.get(word, word) for word in re.findall(r"[^\W_]+", text.casefold())]


def is_part(words: Sequence[str], parts: Sequence[str]) -> bool:
    """Return whether words begin a name of these parts, or are one of its parts, s or no s.

    >>> is_part(["opt"], ["optim"]), is_part(["epoch"], ["max", "epochs"])
    (True, True)
    """
    typed, whole = "".join(words), "".join(parts)
    ends = {part.removesuffix("s") for part in parts}
    return (len(typed) > 2 and whole.startswith(typed)) or (
        len(typed) > 1 and typed.removesuffix("s") in ends
    )


def is_short_for(typed: str, parts: Sequence[str]) -> bool:
    """Return whether a word is made of the beginnings of all parts of a name.

    >>> is_short_for("lrelu", ["leaky", "relu"]), is_short_for("elu", ["leaky", "relu"])
    (True, False)
    """
    if len(parts) < 2:
        return False
    pattern = "".join(f"({'|'.join(p[:n] for n in range(len(p), 0, -1))})" for p in parts)
    return re.fullmatch(pattern, typed) is not None


def hint(prefix: str, word: str, choices: Iterable[str], suffix: str = "") -> str:
    """Return ' Did you mean ...?' for the nearest choice, or an empty string."""
    found = nearest(word, choices, key=prefix.removesuffix("="))
    return f" Did you mean {prefix}{found}{suffix}?" if found else ""


def nearest_key(word: str, keys: Iterable[str], clearly: float = 0.0) -> str | None:
    """Return the dotted key most like one that is not there, or None where nothing is alike.

    A key of the same part of the configuration, unless another part has one that is more alike.

    >>> nearest_key("epochs", ["paths", "optim.lr", "trainer.max_epochs"])
    'trainer.max_epochs'
    >>> nearest_key("optim.lrr", ["optim.lr", "model.dropout"])
    'optim.lr'

    Args:
        word: in full.
        clearly: by how much more alike it must be.
    """
    group, _, last = word.rpartition(".")
    own: dict[str, str] = {}
    others: dict[str, str] = {}
    for key in sorted(keys, key=lambda key: key.count(".")):
        parent, _, end = key.rpartition(".")
        (own if parent == group else others).setdefault(end, key)
    near = nearest(last, own)
    # Of other parts only what is surely meant: by chance some key of a hundred is alike.
    far = nearest(last, others, least=1.5 if group else 0.75)
    if far and (near is None or likeness(last, far) > likeness(last, near) + clearly):
        return others[far]
    return own[near] if near else None
