"""What keys are called in other libraries, in papers and in haste: by their letters and digits."""

from __future__ import annotations

OTHER_KEYS: dict[str, tuple[str, ...]] = {
    "model": ("net", "network", "arch", "architecture", "backbone"),
    "activation": ("act", "actfn", "activationfn", "activationfunction", "nonlinearity", "phi"),
    "init": ("initializer", "initialiser", "initialization", "initialisation", "weightinit"),
    "loss": ("criterion", "lossfn", "lossfunction", "lossfunc", "objective"),
    "optim": ("opt", "optimizer", "optimiser", "solver"),
    "scheduler": ("sched", "schedule", "lrscheduler", "lrschedule", "learningrateschedule"),
    "data": ("dataset", "datamodule", "datasetname", "trainset", "task"),
    "callbacks": ("callback",),
    "sweeps": ("sweep",),
    "seed": ("randomseed", "randomstate", "manualseed", "rng", "prngseed"),
    "sweep.seeds": ("seeds", "numseeds", "nseeds", "repeats"),
    "optim.lr": ("learningrate", "eta", "lrate", "stepsizelr", "baselr"),
    "optim.weight_decay": ("wd", "decay", "weightdecay", "l2", "l2reg"),
    "optim.betas": ("beta",),
    "data.batch_size": ("bs", "batch", "batchsize", "minibatch", "minibatchsize", "batchsizes"),
    "data.val_fraction": ("valsplit", "validationsplit", "valsize", "validsize", "valratio"),
    "data.num_train": ("trainsize", "numtrain", "ntrain", "trainsubset", "numtrainsamples"),
    "data.folds": ("kfold", "kfolds", "nfolds", "numfolds", "nsplits", "cv", "crossvalidation"),
    "data.fold": ("foldindex", "foldnumber", "whichfold", "testfold"),
    "data.label_noise": ("labelnoise", "noisylabels", "noiserate", "labelflip"),
    "loss.weight": ("classweight", "classweights", "lossweight"),
    "data.root": ("datadir", "dataroot", "datafolder", "datasetdir"),
    "data.path": ("datapath", "datafile", "csv", "file", "trainpath"),
    "data.test_path": ("testpath", "testfile"),
    "data.target": ("label", "labels", "targetcolumn", "labelcolumn"),
    "data.num_workers": ("workers", "nworkers", "numworkers"),
    "data.augment.horizontal_flip": ("flip", "hflip", "randomhorizontalflip"),
    "data.augment.random_crop": ("crop", "randomcrop"),
    "trainer.max_epochs": ("epoch", "epochs", "nepochs", "numepochs", "nepoch", "maxepoch"),
    "trainer.max_steps": ("steps", "iterations", "iters", "numsteps", "maxiter", "maxsteps"),
    "trainer.gradient_clip_val": (
        *("clip", "gradclip", "clipgrad", "clipnorm", "maxgradnorm", "gradientclip"),
        *("gradientclipping", "clipval"),
    ),
    "trainer.accumulate_grad_batches": ("accumulate", "gradaccum", "accumulationsteps"),
    "trainer.threads": ("numthreads", "nthreads", "cores"),
    "trainer.ema_decay": ("ema",),
    "model.hidden": (
        *("hiddensize", "hiddensizes", "hiddendim", "hiddendims", "hiddenlayers", "hiddenunits"),
        *("units", "width", "widths", "neurons", "layers", "layersizes", "nhidden", "numhidden"),
    ),
    "model.channels": ("filters", "features", "numchannels", "outchannels", "numfilters"),
    "model.kernel_size": ("kernel", "kernels", "filtersize", "kernelsizes"),
    "model.pool": ("pooling",),
    "model.dropout": ("dropoutrate", "dropoutp", "pdropout", "droprate"),
    "model.norm": ("normalization", "normalisation", "normlayer"),
    "model.depth": ("nblocks", "numblocks"),
    "model.num_heads": ("heads", "nhead", "nheads"),
    "model.dim": ("dmodel", "embeddim", "embeddingdim"),
    "model.dim_feedforward": ("mlpdim", "dimff", "dff", "ffndim"),
    "model.patch_size": ("patch", "patchsize"),
    "model.weights": ("pretrainedweights",),
    "model.freeze": ("frozen", "freezebackbone"),
    "model.residual": ("skip", "skipconnections", "resnet"),
    "paths.output": ("outputdir", "outdir", "savedir", "logdir", "output", "out", "defaultrootdir"),
    "resume": ("ckpt", "ckptpath", "checkpointpath", "resumefrom", "load", "restore", "runfolder"),
    "logger.project": ("proj", "wandbproject"),
    "logger.entity": ("wandbentity", "team"),
    "hydra.run.dir": ("rundir",),
}
"""Of each key or group of train.py, what it is called elsewhere."""

SETTINGS: dict[str, str] = {
    **dict.fromkeys(("batchnorm", "bn", "usebatchnorm"), "model.norm=batch"),
    **dict.fromkeys(("layernorm", "uselayernorm"), "model.norm=layer"),
    **dict.fromkeys(("gpu", "gpus", "cuda", "usecuda", "usegpu", "device"), "trainer=gpu"),
    **dict.fromkeys(("amp", "mixedprecision", "bf16"), "trainer.precision=bf16-mixed"),
    **dict.fromkeys(("fp16", "half"), "trainer.precision=16-mixed"),
    **dict.fromkeys(("earlystopping", "earlystop"), "callbacks=early_stopping"),
    "patience": "callbacks=early_stopping callbacks.early_stopping.patience={word}",
    "beta1": "optim.betas=[{word},0.999]",
    "beta2": "optim.betas=[0.9,{word}]",
    "fastdevrun": "debug=fast_dev",
    "fullbatch": "data.batch_size=full",
    "nesterov": "optim=nesterov",
    "pretrained": "model=torchvision model.weights=DEFAULT",
    "wandb": "logger=wandb",
}
"""What says a whole setting elsewhere, unless its value is a no."""

BY_VALUE: dict[str, dict[str, str]] = {
    "device": {"cpu": "trainer=cpu", "mps": "trainer=mps", "auto": "trainer=auto"},
    "wandb": {
        "offline": "logger.mode=offline",
        "online": "logger.mode=online",
        "disabled": "logger=none",
    },
}
"""The same for certain values."""

OFF: dict[str, str] = {
    "wandb": "logger=none",
    "gpu": "trainer=cpu",
    "gpus": "trainer=cpu",
    "cuda": "trainer=cpu",
    "usecuda": "trainer=cpu",
    "batchnorm": "model.norm=none",
    "earlystopping": "callbacks=none",
}
"""What says the opposite, where its value is a no."""

NO = ("false", "no", "off", "none", "null")

OTHER_SCRIPTS: dict[str, dict[str, str]] = {
    "config": {"figure": "figures.py", "runs": "compare.py"},
    "compare": {"figure": "figures.py", "model": "train.py", "sweeps": "train.py"},
    "figures": {"runs": "compare.py", "sweeps": "train.py"},
}
"""Keys that another script has."""

COMPARE_KEYS: dict[str, tuple[str, ...]] = {
    "runs": ("run", "sweep", "folder", "path", "dir", "input", "sweepfolder"),
    "control": ("baseline", "reference", "against", "ref"),
    "factor": ("by", "key", "group", "compare", "groupby"),
    "delta": ("rope", "margin", "threshold", "smallestdifference"),
    "alpha": ("significance", "level", "pvalue"),
    "paths.output": ("outputdir", "outdir", "output", "out"),
}
"""The same of compare.py."""
