"""Every sentence that is said to a user whose input cannot be used, by its name.

Each gives what was given, what is allowed, and what to type instead; code that finds a mistake
raises `user_error(name, **values)` of `messages.py`.
"""

from __future__ import annotations

TABLE: dict[str, str] = {
    # commands, and a folder of one's own
    "no_command": "{given}: there is no such command.{hint} Commands: {choices}; {help} tells of "
    "them.",
    "own": "Of your own, from {folders}: {choices}.",
    "new_help": "{new} FOLDER writes a small example of your own into a folder: a network, a data "
    "set, a metric, a sweep and a test, which run at once. Without FOLDER it is the one that you "
    "stand in.",
    "new_words": "{given}: what follows is the name of one folder, or nothing. Type {new} mine",
    "new_files": "{folder}: {names} would be overwritten or mixed with others. Choose an empty "
    "folder, or one without these.",
    "new_unwritable": "{path}: this cannot be written ({reason}). Choose another folder.",
    "no_scratch": "There is no folder for temporary files that can be written to. Type export "
    "TMPDIR=FOLDER before.",
    "no_such_sign": "{given}: the locale of this shell ({encoding}) has not all of these signs. "
    "Type export PYTHONUTF8=1 before, or plain letters.",
    "vanished_folder": "{given}: the folder that this was typed in is no longer there. Type cd "
    "FOLDER, and the command again.",
    # configuration
    "unknown_choice": "{group}={given}: there is no such {group}.{choices}",
    "unknown_key": "{key}: there is no such key.{choices}",
    "no_group": "{given}: this figure has no {given}. Leave it away; python figures.py figure=NAME "
    "--cfg job shows the keys of a figure.",
    "wrong_type": "{key}={given}: {reason}. python train.py --cfg job shows values that fit.",
    "sweep_without_m": "{given}: several values are a sweep. Type -m before them, or "
    "{key}=[{word}] for one list, or, as one word with a comma, {one_word}",
    "choices_without_m": "{given}: several choices are a sweep. Type -m {given}, or one of them.",
    "decimal_comma": "{given}: a comma stands between several values. Type {key}={number}, or, "
    "for a sweep, -m before them.",
    "range_words": "{given}: allowed is a whole number, and several are a sweep. Type -m {instead}",
    "no_null": "{key}={given}: allowed is a value, and this is none. Try {key}={instead}.",
    "no_variable": "{given}: there is no environment variable {name}. Type export {name}=... "
    "before, or a value.",
    "config_name": "--config-name={given}: there is no such configuration. Leave it away: what a "
    "script does is chosen by group=CHOICE, which --help lists.",
    "syntax": "{given}: this is not an override that Hydra can read ({reason}). Values that hold "
    ", = or parentheses want quotes that reach Hydra. Type {instead}",
    "not_readable": "{given}: what is typed is key=value, without spaces and in plain signs. "
    "Type {instead}",
    "not_a_word": "{given}: this is no override. What is typed is KEY=VALUE, and lists as "
    "'KEY=[1,2]'; python {script} --help lists the keys and the choices.",
    "program": "{given}: this is the name of a program, and no override. Leave it away.",
    "no_option": "{given}: there is no such option. {instead}What can be set is typed as "
    "key=value; python {script} --help lists it.",
    "sign": "{given}: {key} is there already. Type {instead}",
    "other_value": "{given}: {key} is {own}, so this takes nothing away. Type "
    "{key}=... for another value.",
    "several_choices": "{given}: of {group} one choice is made, and several are a sweep. Type "
    "-m {group}={sweep}",
    "interpolation": "{given}: this stands for nothing: {reason}. Type a value, or ${{KEY}} with "
    "the full name of a key{hint}.",
    "part": "{given}: {key} is a part of the configuration, of which single keys are set. Type "
    "{instead}",
    "composition": "The configuration cannot be composed: {reason}",
    "not_allowed": "{key}={given}: allowed is {allowed}. Try {key}={instead}.",
    "name": "{key}={given}: a name does not choose. Type {group}={given}{or_collection}.",
    "refused": "{key}: {owner} refuses these values: {reason}.",
    "missing_argument": "{key}: {owner} needs a value for {name}. Type {key}.{name}=...{more}",
    "raises": "{key}: {owner} raises {error}{when}{place}. Mend it there; HYDRA_FULL_ERROR=1 shows "
    "the whole traceback.",
    "no_module": "{key}: {owner} gives {given}, and {wanted} is needed.",
    "output": "{key}: {owner} gives {given} for {num} points of shape {shape}, and "
    "{needed} is needed: {what}.",
    "module_unmeasured": "model: {owner} lacks {missing}, and its forward cannot be measured in "
    "their place ({reason}). Write what is missing, or a forward(x) that gives {needed}.",
    "module_unlogged": "model={model} measures no val/loss, by which the best weights are chosen; "
    "it has {names}. Log val/loss in validation_step, or type checkpoint.monitor=... and "
    "checkpoint.mode=min or max.",
    "module_checkpoint": "model: what {owner} keeps in its checkpoint cannot be read back safely "
    "({reason}). Let on_save_checkpoint keep tensors, numbers, words and lists of them.",
    "module_without": "{given}: this cannot be had with model={model}, a LightningModule that "
    "trains itself. Type {instead}.",
    "module_trains": "model={model} is a LightningModule: it trains with its own loss, optimizer "
    "and schedule, one step in a call of the Trainer. {measured}",
    "module_measured": "val/ and test/ are what it logs and, by its forward, {names} with "
    "loss={loss}.",
    "module_logs": "val/ and test/ are what it logs: its forward is not measured ({reason}).",
    "module_names": "model={model} logs {names}: kept is what begins with train/, val/ or test/.",
    "monitor_mode": "checkpoint.monitor={given}: its name does not say whether more or less of it "
    "is better. Type +metrics.{name}.better=max, or min.",
    "module_predicts_nothing": "run={path}: its model is a LightningModule whose forward(x) gives "
    "no outputs (B, K) to predict with. Give it one that does, and train it again.",
    "metric_unlogged": "metrics.{given}: {owner} logs no val/{given} nor test/{given}; it logs "
    "{names}. Log it there, or give it a _target_: metrics.{given}._target_=torchmetrics.Class.",
    "numbers": "{key}: {owner} gives {given} {when}. {instead}.",
    "not_given": "{key}: {name} was given in Python and cannot be imported, so that this process "
    "does not have it (its text has the hash {text}). Record, history and predictions of the run "
    "can be read all the same; to have its network here, define {name} by the same text and train "
    "the same again: the run is found.",
    "no_import": "{name} stands in no module that can be imported. It serves here, and is recorded "
    "by the hash of its text ({text}), but no later process can {what}. For one that can, write it "
    "into a file (nets.py) and import it from there: from nets import {word}.",
    "given_ranks": "{name} stands in no module that can be imported, so that no further process "
    "can train it beside this one. Type trainer.devices=1, or write it into a file, nets.py, and "
    "import it from there.",
    "given_value": "{key}: {given} is given, and a configuration holds numbers, words, lists, "
    "dictionaries, and classes as choices of a group. Of an object give the class and what it is "
    "made with: {keyword}=dict(_target_=Class, KEY=VALUE).",
    "takes_no_class": "{key}: a class is given, and this is no group that takes one. Those are: "
    "{allowed}.",
    "partial": "{key}: this partial of {given} gives arguments without names. Name them: "
    "functools.partial({given}, KEY=VALUE).",
    "given_data": "data: {given} is given. Give two arrays, inputs and targets, and keys of data "
    "after them if need be: data=(x, y) or data=(x, y, dict(val_fraction=0.2)); or name them: "
    "data=dict(x=x, y=y, x_test=..., y_test=...).",
    "given_array": "data: {name} is given as {given}. Give arrays of numpy or tensors of torch "
    "with numbers in them: data=(x, y), or data=dict(x=x, y=y, x_test=..., y_test=...).",
    "python_word": "{given}: what stands without a name is a word as it is typed after the "
    "command, such as {example}. Give everything else by its key: {key}=...",
    "python_option": "{given}: this belongs to commands, and a call trains one run. For several "
    "values call it in a loop; for where runs lie give folder=...",
    "untrusted": "{key}._target_={given}: this is no part of an experiment, and is not called. "
    "Allowed are networks, optimizers, callbacks, loggers and metrics of any package, and what "
    "your own files define.",
    "corrupt_history": "{path}: this is no history of a run ({reason}). Restore the file from a "
    "copy, or delete it: what the record says does not need it.",
    "contradicted": "%s: %s. Train it again (from=FOLDER) where it matters.",
    "claims_identity": "it says to be run {identity}, which is {other}, and its config is another",
    "link": "a link that leads out of {path} is not followed; name its own place in runs=",
    "rerun": "{path}: this is no configuration that a run has kept ({reason}), and is not loaded, "
    "as a pickle may run any program. Type the overrides of the run again, or resume=FOLDER.",
    "rerun_next": "{option} {given}: Hydra 1.4 reads a run's overrides for this, which may name "
    "what is to be called. Type python train.py from={folder}.",
    "untrusted_run": "{path}: its config names {key}._target_={given}, and of what the config of a "
    "run names only this package, {readable} are called. "
    "If you know that code and mean it, type trusted=[{package}], or "
    'load_run(..., trusted=["{package}"]).',
    "target_type": "{path}: its config has {key}._target_={given}, which is no dotted path of a "
    "class or function.",
    "target": "{key}._target_={given}: this cannot be imported ({reason}). "
    "Give the full dotted path of a class or function, e.g. torch.nn.ReLU.",
    "secret": "{given}: secrets do not belong in a configuration, because it is written to files "
    "and to W&B. Set it in the environment instead, e.g. export WANDB_API_KEY=...",
    "replaced": "Code that this run names has replaced {names}; put back for what comes after it.",
    "delay": "After {seconds} seconds this is still being built: {what}. Ctrl-C stops it.",
    "examined": "{key}: the process that looked at this configuration ended with code {code}.",
    "taken_for": "model={model} has no model.phi_out: loss={loss} takes its outputs for {takes}.",
    "loss_weights": "loss={loss} has weights of its own, which are not trained: the optimizer has "
    "those of the network.",
    "compile": "Compiling the network: the first steps take from seconds to minutes, once in "
    "training and once in validation, which pays where the network is large and the run long.",
    "single_steps": "steps_per_execution: 1, since {hook} wants to hear of every step.",
    "batch_norm_switched": "model.norm=batch: its running statistics are those of the weights that "
    "optim={name} trains with, not of their mean, which is tested. model.norm=group has none.",
    "no_effect": "{given} has no effect with {with_}.",
    "missing_group": "{group}: this part of the configuration has no {key}. "
    "Give {group}=CHOICE; python train.py --help lists the choices.{of_file}",
    "lines_of_file": " A file of your own in conf/{group}/ says it in lines of its own: {lines}",
    "first_line": "{choice} has no {keys}. Add this as the first line of {file}: "
    "defaults: [{line}]",
    "called_with": "{group}._target_={given}: {what} is a function or class that is called with "
    "({supplied}, ...), and this one takes ({own}). Write one that calls it, as those in {room}, "
    "or type {group}=CHOICE: python train.py --help lists the choices.{hint}",
    "callback": "callbacks.{given}: this is no callback, as it has no _target_. "
    "Type +callbacks.{given}._target_=package.Class.",
    "logger": "logger.name={given}: there is no such logger. There are {allowed}; for one of your "
    "own write logger/{given}.yaml with name: {given} and _target_: package.Class, a logger of "
    "Lightning's.",
    "logger_package": "{given}: the package {package} is not installed. Type pip install "
    "{package}, or logger=csv, which needs none.",
    "other_logger": "logger.also.{given}: this is no logger, as it has no _target_. "
    "Type +logger.also.{given}._target_=package.Class.",
    "no_logger": "logger.name={given}: {target} is no logger of Lightning's: it lacks {lacking}. "
    "Derive yours from lightning.pytorch.loggers.logger.Logger.",
    "unmeasured": "{number} runs were done before {names} was asked for, and are not trained "
    "again; hydra.sweep.dir=FOLDER trains all in another folder.",
    "metric_target": "metrics.{given}: this is no metric, as it has no _target_. Type "
    "+metrics.{given}._target_=torchmetrics.Class +metrics.{given}.better=max.",
    "no_metric": "metrics.{given}: {target} is no class of torchmetrics' Metric. Derive yours from "
    "torchmetrics.Metric, with update(outputs, targets) and compute().",
    "metric_fails": "metrics={given}: it does not take what {task} gives ({reason}). "
    "For {task} there are {fitting}.",
    "metric_shape": "metrics={given}: {owner} gives {shape} and not one number. Set its average to "
    "macro or micro, or leave it away.",
    "table_shape": "metrics={given}: as it says better: none it is a table, and it gives {shape} "
    "in place of {number} rows and columns, one of each class. A number says better: max or min.",
    "callback_monitor": "callbacks: {given} watches {monitor}, which this run does not measure. "
    "It measures: {choices}.",
    # data
    "augment": "data.augment.{key}: {data} has points of shape {shape}, without a dimension to "
    "crop, mirror or cut from. Leave it away; noise and mixup go with any data.",
    "mixup": "data.augment.mixup: {reason}. Try {instead}, or leave mixup away.",
    "spatial": "data.{key}={given}: {data} has points of shape {shape}, and only the positions of "
    "images or signals can be moved. Leave it away.",
    "memory_limit": "Data: {size:.2f} GB are above data.memory_limit={given:g}; read by "
    "{num_workers} workers instead of held in memory.",
    "batch_size": "data.batch_size={given}: allowed is a whole number of at least 1 ({data} has "
    "{most} training points), full, or auto for a single run. Try data.batch_size={instead}.",
    "batch_found": "data.batch_size=auto: %d, which %s. The run is that of data.batch_size=%d.",
    "no_batch": "data.batch_size=auto: no batch fits, as what was tried ended thus: {reason}.",
    "batch_of_ranks": "data.batch_size=auto: it is tried on one device, and this run has {given} "
    "processes. Find it with trainer.devices=1, and type {given} times that number.",
    "batch_of_sweep": "data.batch_size=auto: the runs of a sweep are to have one batch, or what is "
    "compared would be the batch, too. Find one by a single run (python train.py "
    "data.batch_size=auto, with the largest of its models) and type that number.",
    "batch_cut": "data.batch_size={given}: the {most} training points are one batch.",
    "understood": "Data: {data}: {note}.",
    "batch_of_one": "data.batch_size={given}: of the {num_train} training points a batch of one is "
    "left{ranks}, which the network's normalisation cannot be trained on ({reason}). "
    "Try data.batch_size={instead}, or model.norm=layer.",
    "missing_data": "data={data}: the files are not there and could not be downloaded ({reason}). "
    "Looked for {looked_for} in {places}. Without a network these work at once: {offline}. "
    "Or put the files there, or give their place with data.root=FOLDER.",
    "corrupt_data": "data={data}: {path} cannot be read ({reason}). "
    "Delete the file, so that it is fetched again, or replace it by a good copy.",
    "data_path": "data={data} needs to know where the data are. Type data.path={example}.",
    "no_such_path": "{key}={given}: there is no such {kind} ({place}). Give a path from the folder "
    "you stand in, or a whole one.{hint}",
    "broken_cache": "%s cannot be read, or is not as it was written: the data are decoded anew.",
    "unreadable_file": "{path}: this cannot be read as {kind} ({reason}). {instead}.",
    "too_few_points": "{path}: {given} data points, and at least {least} are needed. Add some, or "
    "check that this is the right place.",
    "lengths": "{path}: {inputs} has {num_inputs} rows, {targets} has {num_targets}. Give every "
    "input its target, in the same order.",
    "not_finite": "{path}, {place}: {given} is no finite number of up to 4e307. Replace it, or "
    "leave that row out.",
    "label_range": "{path}, {place}: {given} is none of the classes; allowed is {allowed}. "
    "{instead}.",
    "one_class": "{path}: all data points are of one class, {given}; at least two are needed. "
    "{instead}.",
    "one_class_to_train": "data={data}: all {number} training points are of one class, {given}, so "
    "there is nothing to learn. Add points of other classes, or try another data.split_seed.",
    "constant_target": "data={data}: {names} is {given} at all {number} training points, so there "
    "is nothing to learn. Choose another target, or try another data.split_seed.",
    "points_alike": "data={data}: all {number} training points are the same, so nothing can be "
    "told from them. Check the files: were all images empty, or all columns constant?",
    "no_r2_to_monitor": "checkpoint.monitor=val/r2: R2 is not defined on the {number} validation "
    "points, of which a target has one value alone. Try checkpoint.monitor=val/loss.",
    "constant_features": "Data: {data}: {names}: the same at every training point, so it tells "
    "nothing.",
    "untrained_classes": "Data: {data}: {names}: no training point, so it cannot be learned; "
    "{number} validation and test points are of it. Add some, or try another data.split_seed.",
    "merged_values": "Data: {data}: {name}: 32 bits keep {after} of {before} different values. "
    "{instead} what is common, or leave the largest out, so that the rest can be told apart.",
    "no_r2": "Data: {data}: {stage}/r2 is not defined on {alike}, and is left empty.",
    "one_test_point": "Data: there is one test point, so test/accuracy can only be 0 or 1.",
    "mps_64_bits": "data={data}: these numbers need 64 bits, which Apple's GPUs lack. Try "
    "trainer.accelerator=cpu, or subtract what their columns have in common.",
    "array_shape": "{path}: {array} has the shape {given}; allowed is {allowed}. {instead}.",
    "array_type": "{path}: {array} is of type {given}; allowed is {allowed}. {instead}.",
    "no_array": "{path}: there is no array {missing}; the file holds {present}. "
    "Write it by numpy.savez(FILE, x=inputs, y=targets).",
    "two_arrays": "{path}: {given} could each be {meaning}. Leave one of them in the file, or call "
    "it {meaning}.",
    "which_dimension": "{path}: {array} of shape {shape} can be read in several ways: {ways}.",
    "open_task": "{path}: {array} has {number} different whole numbers for {num_samples} points. "
    "Type data.task=classification if each is a class, or data.task=regression loss=mse to "
    "predict the number.",
    "several_labels": "{path}: {array} has rows of 0 and 1, of which {place} has {number} ones; "
    "one class for each point is predicted here. Give one, or type data.task=regression loss=mse "
    "to predict all the numbers.",
    "table": "{path}, {place}: {reason}. {instead}.",
    "image_size": "{path}: {given} pixels, where the images before it have {expected}. "
    "Have all of them resized: data.size={instead}.",
    "unreadable_images": "{path}: {number} of {total} images cannot be read:\n{each}\n"
    "Replace them by good copies, or remove them.",
    "unread_files": "Data: {path}: not read are {kinds} ({number} in all). Images are the files "
    "in class folders that end in {read}.",
    "image_memory": "Data: {path}: the images take {size} of memory while they are prepared",
    "too_many_images": "{path}: {num} images{given} take {need} of memory, and {free} are free. "
    "Have them made smaller: data.size={instead}.",
    "image_too_large": "{path}: to read this image takes {need} of memory, and {free} are free. "
    "Put a smaller copy there, or remove it.",
    "dark_images": "{path}: {number} images have 16 bits ({names}), and no number in them is above "
    "{largest}, so that nothing would be left in 8 bits. Save them as 8 bits, or try data=npz.",
    "class_folders": "{path}: {reason}. {instead}.",
    "not_classification": "data.name={given}: this set has {what}, and data=torchvision takes "
    "images that each have one class. Choices: {choices}.",
    "unused_data": "Data: {path}: {given} is not used; {used}.",
    "decoding": "Data: decoding {num} images of {data}, once; the next start finds them in {place}",
    "given_validation": "Data: {data}: its own {number} validation points validate; "
    "data.val_fraction and the cut by data.split_seed are not used.",
    "fold_of_all": "Data: {data}: fold {fold} of {folds} tests {tested:,} of all {number:,} "
    "points; the other folds train and validate. A test set that the makers give is among them.",
    "fold_alone": "data.fold={given}: without data.folds there is one cut, and no fold of it. Try "
    "data.folds={instead} data.fold={given}.",
    "fold_beyond": "data.fold={given}: allowed is 0 to {most}, as data.folds={folds}. Try "
    "data.fold={most}.",
    "classes_only": "{key}={given}: the targets of data={data} are numbers, and this is for "
    "classes. Leave it away.",
    "split": "data.val_fraction={given}: of {num_samples} training points this leaves "
    "{num_train} to train and {num_val} to validate. Try data.val_fraction={instead}.",
    # model, loss
    "vanishes": "model: {layer} has an input of size {size}, and (W - F + 2P)/S + 1 = "
    "({size} - {kernel} + 2*{padding})/{stride} + 1 is below 1: nothing would be left. {instead}",
    "per_layer": "{key}={given}: give one value for all layers or one for each of the "
    "{num_layers} layers. Try {key}={instead}.",
    "shape": "model={model} data={data}: {reason}. Try {instead}.",
    "width": "{key}={given}: {reason}. Try {key}={instead}.",
    "features": "activation: it takes {ratio} features for each that it returns, and {reason}. Try "
    "{instead}.",
    "builder": "model.name={given}: this network cannot take points of shape {shape} ({reason}). "
    "Try model.name=resnet18, which takes images of any size.",
    "no_weights": "model.weights={given}: the weights of {name} are not on this machine and could "
    "not be downloaded ({reason}). Without a network, put {file} into {folder}, or leave "
    "model.weights away: the weights are then drawn.",
    "no_chain": "figure=network draws a chain of layers, one formula each, and {given} is none. "
    "Try model=cnn.",
    "loss_task": "loss={loss} does not fit data={data}, which is a {task} task; it fits {fits}. "
    "Try loss={instead}.",
    "unbalanceable": "loss.weight=balanced: data={data} has no training point of {names}, which "
    "would weigh without end. Try loss.weight={instead} with numbers of your own.",
    "weighted_parts": "loss.weight does not go with {given}: the loss is a mean weighted by the "
    "classes of a whole batch, of which each part knows its own alone. Try {instead}, or "
    "data.sampler=balanced loss.weight=none.",
    "loss_output": "loss={loss} takes {takes}, but model.phi_out={phi_out} gives {gives}. "
    "Try model.phi_out={instead_phi_out}{or_loss}.",
    "full_batch": "optim={name} works on full batches, so data.batch_size={given} contradicts it. "
    "Leave data.batch_size away, or try optim.full_batch=false data.batch_size={given}.",
    "no_decay": "optim.no_decay={given}: {owner} has no weight decay to spare any parameter. "
    "Leave optim.no_decay away.",
    "matrices_on_a_plane": "optim={name}: it is made for the matrices of a network, and a point of "
    "the plane is none. Leave it out of optim=[...].",
    "retraced_ranks": "The path of training is had by training once more in this process, and the "
    "run was trained by {given} together. Type path=false.",
    "not_in_the_plane": "data={data} has points of shape {shape} and {task} targets; "
    "figure=decision_boundary draws classes in the plane. Try data=[xor,moons,spirals].",
    "two_weights": "figure=loss_minimum draws the loss over one weight or two, and model={model} "
    "has {given} on data={data}. Try model=linear data=sine.",
    "no_matrices": "optim: {owner} is made for the matrices of hidden layers, and this model has "
    "none. Try model=mlp, or optim=adamw.",
    "optimizer_needs": "optim: {owner} cannot be stepped here: {reason}. "
    "If it misses an argument, add it: +optim.NAME=VALUE. Else try another.",
    "optimizer_fit": "optim={name} does not go with {given}: {reason}. Try {instead}.",
    "collection": "optim.name={given}: pytorch_optimizer has no such optimizer among its "
    "{num_known}.{hint}",
    # machine
    "devices": "trainer.devices={given}: this machine has {available} {kind}. "
    "Try trainer.devices={instead}.",
    "accelerator": "trainer.accelerator={given}: no such device was found on this machine. "
    "Available: {available}. Try {instead}.",
    "several_devices": "trainer.devices={given}: several devices need a strategy, and "
    "trainer.strategy={strategy} runs on one. Try trainer={instead}.",
    "unwritable": "{path}: the folder cannot be written to ({reason}). "
    "Choose another with paths.output=FOLDER.",
    "disk_full": "The disk of {path} is full ({reason}). Free some space and run the command "
    "again; with resume=auto it goes on where it can.",
    "disk_refuses": "{path}: the disk takes nothing more ({reason}). Mend that, or choose another "
    "folder with paths.output=FOLDER, and run the command again; with resume=auto it goes on where "
    "it can.",
    "out_of_memory": "out of memory on {device}, {when}{asked}. Try {instead}",
    "out_of_memory_here": "Out of memory. Name fewer runs or points, or leave more of this "
    "machine's memory free.",
    "out_of_memory_building": "Out of memory before anything was trained{asked}: the data or the "
    "network are too large for this machine. Try data.num_train=NUMBER, a smaller model, or "
    "another machine.",
    "run_failed": "The run failed: {reason}. The traceback is in {log}.",
    "unwritable_data": "{path}: the data cannot be unpacked there ({reason}). "
    "Choose another folder with data.root=FOLDER.",
    "half_precision": "trainer.precision={given}: a CPU has no such arithmetic. "
    "Try trainer.precision=bf16-mixed.",
    "batch_norm_ranks": "model.norm=batch with {given} processes on the CPU: each would normalise "
    "by its own share of a batch, and torch can join them on GPUs only. Try model.norm=group, or "
    "one process.",
    "batch_norm_apart": "model.norm=batch with {given} processes: each would normalise by its own "
    "share of a batch, and the result depend on how many there are. Try "
    "trainer.sync_batchnorm=true, or model.norm=group.",
    "parts_of_weights": "trainer.strategy={given}: each process would hold a part of the weights, "
    "and the steps here are those of whole ones (clipping by norm, averages, optimizers of "
    "matrices). Try trainer=ddp.",
    "several_nodes": "trainer.num_nodes={given}: processes on several machines are started by "
    "torchrun or SLURM, and neither has started this one. Try trainer.num_nodes=1.",
    "other_tasks": "{given} is {number} processes, and {launcher} tells this one of others: "
    "{found}. Try {instead}; or trainer.devices=1, which is one process whatever {launcher} says.",
    "regression_phi_out": "model.phi_out={given}: regression targets are standardised, so the "
    "output must be any number. Try model.phi_out=identity.",
    "endless_schedule": "scheduler={given} is laid out over the whole run, which has no end in "
    "steps here. Give trainer.max_epochs or trainer.max_steps, or try scheduler=constant.",
    # runs
    "not_a_run": "{path} is not a run folder: {reason}. Give a folder that holds record.json, "
    "config.yaml and checkpoints/, such as those under outputs/runs/.",
    "newer_schema": "{path} was written by a newer version (schema {given}; this one reads up to "
    "{allowed}). Update experiments to read it.",
    "corrupt_record": "{path} cannot be read as a record ({reason}). "
    "To train the run anew, type its command again; .hydra/overrides.yaml beside it has the words.",
    "corrupt_config": "{path} cannot be read as a configuration ({reason}), nor is there a whole "
    ".hydra/config.yaml beside it, which held the same. Train the run again from its overrides, "
    "which record.json has.",
    "config_lacks": "{path} has no {key}, which every run is trained by: it was changed by hand, "
    "or is of another version of this package. Put {key} back, or train the run anew from its "
    "overrides, which record.json has.",
    "config_type": "{path}: its config has {key}={given}, and {key} is {kind}: no run has written "
    "that. Restore config.yaml from a copy, such as .hydra/config.yaml beside it.",
    "config_range": "{path}: its config cannot be that of a run: {reason} Restore config.yaml from "
    "a copy, such as .hydra/config.yaml beside it.",
    "other_weights": "{path}: these weights are not of the network that the config.yaml of the run "
    "describes ({reason}). One of the two is another run's, or was changed: restore it.",
    "config_copy": "%s cannot be read as a configuration (%s); %s is taken, which holds the same.",
    "no_checkpoint": "{path}: there is no checkpoint {name} to load. Present: {present}.",
    "corrupt_predictions": "{path} cannot be read as predictions ({reason}). Delete it: the run is "
    "whole without it, and its checkpoint gives them again.",
    "predict_words": "{given}: what is typed is run=FOLDER, and inputs=FOLDER_OF_IMAGES, "
    "inputs=FILE.csv or inputs=FILE.npz; perhaps output=FILE.csv, array=NAME or checkpoint=last.",
    "predict_columns": "{path}: there is no column {missing}, which {run} was trained on. The file "
    "has {present}. Name its columns as those of the training file.",
    "predict_names": "{path}: {run} does not know the names of its columns, as {reason}. Give an "
    ".npz file with an array x of shape {shape}.",
    "predict_shape": "{path}: {given}, and {run} takes {allowed}. {instead}.",
    "predict_array": "{path}: {reason}; the file holds {present}. Type array=NAME.",
    "predict_none": "{path}: no image is in it. Give a folder of images ({read}), an image, a "
    "table, or an .npz file.",
    "predict_output": "output={path}: this file cannot be written ({reason}). Give another one.",
    "stopping": "Stopping after this step, which is kept; Ctrl-C once more stops at once.",
    "requeued": "SLURM has put the job %s back into its queue; the same command goes on there.",
    "not_requeued": "SLURM did not put the job %s back into its queue (%s); resume=auto goes on.",
    "restarted": "SLURM has started this job again: resume=auto.",
    "again_resumed": "from={given} resume={resume}: a run is trained again from its beginning, or "
    "gone on with. Type one of the two.",
    "again_of_sweep": "from={given}: it is one run that is trained again. Type python train.py "
    "from={given}, without -m.",
    "again_unfinished": "from={path}: this run is {status}, and has no result to compare with. "
    "resume={path} goes on with it.",
    "again_override": "from={path}: with {given} it would be another run; it has {own}. Allowed "
    "beside are logger, progress, paths.output, {allowed}. Leave {given} away.",
    "again_data": "from={path}: the data have changed since: {change}. Put the old data back; "
    "changed_data=allow trains on these all the same, and names them.",
    "same": "The same as %s, bit for bit: %s%d rows of history, %d metrics.%s",
    "weights_gone": " Not there any more, and not compared: {names}.",
    "same_beside": " And that though: {changes}.",
    "same_environment": "nothing that is recorded has changed. What is left is code that draws "
    "from a stream of its own, or reads what the configuration does not name",
    "same_environment_gpu": "nothing that is recorded has changed. On a GPU some sums are added in "
    "any order: trainer.deterministic=true in the run that is repeated makes them repeat",
    "not_same": "{folder} is not the same as {path}: {differences}. Of what they were made with, "
    "this differs: {why}.",
    "again_differs": "from={path}: the result is not the same; in what is said above and in {log}.",
    "done_there": "%s: this run is %s; nothing is left to do.",
    "run_is_alive": "resume={path}: another process is training that run. Wait for it, or stop it.",
    "resume_override": "resume={path}: {given} cannot be changed on the way, where it has {own}; "
    "a resumed run keeps its config except for {allowed}. Start a new run instead: leave resume "
    "away.",
    "resume_ranks": "resume=auto: each process that torchrun or SLURM has started must know the "
    "run. Type resume=FOLDER.",
    "resume_schedule": "resume={path}: scheduler={scheduler} is laid out over the whole run, so a "
    "larger budget would not give the result of a run of that length. Start a new run instead: "
    "leave resume away.",
    "resume_diverged": "resume={path}: this run has diverged ({error}), and its weights are no "
    "numbers. Start a new one with a smaller optim.lr.",
    "resume_data": "resume={path}: the data have changed since: {change}. The run on them is "
    "another one: put the old data back, or leave resume away. resume.changed_data=allow goes on "
    "all the same, which the record says.",
    "resume_code": "resume={path}: the code has changed since: {change}. The run with it is "
    "another one: put the old text back, or leave resume away. resume.changed_code=allow goes on "
    "all the same, which the record says.",
    "gone_on_code": "Code: {path} was trained with other code ({change}), which the record says; "
    "the best weights are chosen anew.",
    "sweep_code": "{path}: {number} of the runs there were trained with other code: {change}. "
    "sweep.changed_code=keep counts them as they are; sweep.changed_code=anew trains them again, "
    "as other runs.",
    "code_kept": "Code: {number} runs of {path} were trained with other code: {change}; kept by "
    "sweep.changed_code=keep.",
    "code_anew": "Code: {number} runs of {path} were trained with other code: {change}; trained "
    "again by sweep.changed_code=anew.",
    "code_amid": "The code has changed since the sweep began: {change}. The same command says how "
    "to go on.",
    "gone_on": "Data: {path} was trained on others (checksum {checksum}), which the record says; "
    "the best weights are chosen anew.",
    "corrupt_checkpoint": "{path} cannot be read as a checkpoint ({reason}). {instead}",
    "whole_checkpoint": "%s cannot be read (empty, cut off, overwritten, or of another version); "
    "goes on from %s.",
    "lost_best": "%s cannot be read: what was best until now is lost, and may not be found again; "
    "goes on from the beginning.",
    "kept_history": "%s is not as it was written (%s); the rows that a checkpoint has kept are "
    "taken.",
    "cut_history": "it ends before the run did, as its record says",
    "lost_history": "%s is not as it was written (%s), and the checkpoint has not kept its rows; "
    "goes on from the beginning.",
    "population_broken": "Runs that were trained together go on one by one, since this went wrong: "
    "{error}.",
    # sweeps
    "broken_declaration": "{path} cannot be read ({reason}): it is {aside} now, and what the sweep "
    "compares is declared anew.",
    "broken_study": "{path} cannot be read ({reason}): it is {aside} now, and what is lost of it "
    "is drawn anew; runs that are there are not trained again.",
    "lost_record": "{reason} The run is trained anew, in a folder beside.",
    "sweep_data": "{path} was trained on other data={data}: {change}. Runs of two contents are no "
    "comparison: put the old data back, or give the new runs a folder of their own with "
    "hydra.sweep.dir=FOLDER. resume.changed_data=allow trains them beside the old ones.",
    "data_allowed": "Data: {path} was trained on other data={data}: {change}; allowed by "
    "resume.changed_data=allow.",
    "condition": "hydra.sweeper.when: {given!r} is no condition. Write key=value, or "
    "several with spaces between them: 'optim=sgd model=mlp'.",
    "hidden_file": "{path}: there is a choice of this name already, and yours would never be read. "
    "Give it another name, such as {instead}.yaml, and type {group}={instead}.",
    "value_of_group": "{given}: {group} is a group, of which one choice is typed, "
    "{group}=CHOICE, and single keys after it, {group}.KEY=VALUE. Type {instead}",
    "empty_sweep": "{given}: a sweep over no value. Type at least one: {instead}.",
    "not_discrete": "{given}: an interval has no list of values. Give them (0.1,0.01), or search "
    "in it with hydra/sweeper=optuna5.",
    "seeds_twice": "{given}: sweep.seeds says other seeds. Leave one of the two away.",
    "looks_without_until": "{given}: without sweep.until=settled nobody looks before the end. Add "
    "that, or type {key}={first}.",
    "looks_dunnett": "sweep.until=settled with sweep.test=dunnett: looks share the chance of a "
    "false claim in the exact test alone. Type sweep.test=sign_flip, or sweep.until=null.",
    "looks_two_factors": "sweep.until=settled with sweep.factor=[{given}]: it stops comparisons "
    "of one factor. Type sweep.factor={first}, or sweep.until=null.",
    "looks_folds": "sweep.until=settled with data.folds={given}: looks are at numbers of seeds, "
    "and folds share points. Type data.folds=null, or sweep.until=null.",
    "looks_of_nothing": "sweep.until=settled: nothing is compared here, so that nothing can be "
    "settled. Give a key several values, or type sweep.until=null.",
    "looks_end": "sweep.max_seeds={most} and sweep.looks={looks}: the last look has the most "
    "seeds. Type sweep.looks={longer}, or leave sweep.max_seeds away.",
    "looks_beyond": "sweep.until=settled looks at up to {last} seeds, and {number} are given. "
    "Give as many, sweep.seeds={last}, or earlier looks, sweep.looks=[...].",
    "looks_too_few": "sweep.until=settled with at most {last} seeds: with fewer none of {family} "
    "can be shown to differ, so that nothing would stop before the end. Type "
    "sweep.max_seeds={more}, or say when to look, as sweep.looks=[3,6,9].",
    "late_looks": "{path} has runs that were begun before looks were declared: looks that are "
    "chosen after runs prove little. Give the sweep a folder of its own, "
    "hydra.sweep.dir={instead}, or type sweep.until=null.",
    "first_looks": "Looks at {first} seeds (spending {spending}) were declared before the first "
    "run of {path}, and count: what is said of them now is not used. More seeds than these are no "
    "part of the verdict's level; other looks are those of another folder, "
    "hydra.sweep.dir={instead}.",
    "looks_without_delta": "No sweep.delta is declared: a comparison can be settled as better or "
    "worse, and one without a difference goes on to the last look.",
    "looks_planned": "Looks at {looks} seeds: at least {least} and at most {most} runs in all.",
    "search_until": "sweep.until=settled with hydra/sweeper=optuna5: a search compares nothing. "
    "Type sweep.until=null.",
    "wandb_parameter": "{given}: a W&B sweep with a parameter of this name would lose the run's "
    "nested configuration. Call it {given}.name, and take the command of "
    "sweeps/wandb/activations.yaml.",
    "sweep_of_an_agent": "W&B's agent has started this command for one run, and a multirun has "
    "several. Leave -m and sweeps=... away, or start it without the agent.",
    "claimed": "Another process is training {identity}; it is left to that one.",
    "by_another": "(another process has done it)",
    "protocol_without_sweep": "protocol={given}: a protocol is one of sweeps. Type -m with values "
    "to compare, or sweeps=NAME, or leave it away.",
    "one_thing": "{given} and a sweep (-m) are two things. Leave -m away, and choose one value of "
    "each key; or leave {given} away: sweep.dry_run=true lists the jobs of a sweep.",
    "key_without_sweep": "{given}: this is one run, and sweep.* are keys of sweeps. Type -m with "
    "values to compare, or sweeps=NAME, or leave it away.",
    "file_without_mode": "hydra.sweeper lists values of a sweep, and this is one run. Add "
    "hydra.mode: MULTIRUN to the file, or type -m.",
    "condition_key": "hydra.sweeper.when: {given!r}: there is no key {key}. Write a group or a key "
    "of the configuration, as optim=sgd or model.norm=batch.",
    "case": "hydra.sweeper.cases: {given!r} is no row. Write {{key: value, key: value}}.",
    "factor": "sweep.factor={given}: this sweep does not vary it. It varies: {choices}.{hint}",
    "no_factor": "{given} is one value: {key}, which the sweep's file compares, is no factor here.",
    "allowed_key": "sweep.allow={given}: no configuration has this key. Give keys as they are "
    "typed: sweep.allow=[data.batch_size].",
    "controls": "sweep.control={given}: give one control for each factor ({factor}).",
    "no_search_space": "protocol=tuned: optim={optim} says no search space. Give one, e.g. "
    "'+optim.search={{lr:[0.01,0.1,1]}}', or try protocol=fixed.",
    "tuned_key": "{given}: protocol=tuned chooses that. Leave it away, or try protocol=fixed.",
    "trials_of_values": "sweep.tuning.trials={given}: {keys} have no more than {own} different "
    "combinations of values. Leave it away, or give a range, e.g. "
    "'sweep.tuning.space={{lr:[1e-3,1],momentum:[0,0.99]}}'.",
    "tuning_dimensions": "sweep.tuning.space names {given} keys, and at most {most} can be tuned "
    "at once. Leave some away.",
    "no_own_range": "sweep.tuning.space: {key} has no range of its own (these have: {known}). Give "
    "one with the key, e.g. 'sweep.tuning.space={{{key}:[0.01,1]}}'.",
    "no_part_of_recipe": "sweep.tuning.space: {key} is nothing to tune, as it changes no result or "
    "is no part of a recipe. Name others, e.g. sweep.tuning.space=[lr,weight_decay].",
    "tuned_no_key": "sweep.tuning.space: the setting with optim={optim} has no {key}.{hint} It "
    "has: {own}. Leave the key away, or settings that lack it.",
    "tuned_values": "sweep.tuning.space: {key}: {given}: allowed is {allowed}. Try "
    "'sweep.tuning.space={{{key}:[0.001,1]}}'.",
    "tuned_no_number": "sweep.tuning.space: {key}={own} is no number, and has no range. Give its "
    "values, e.g. 'sweep.tuning.space={{lr:[1e-3,1],betas:[[0.9,0.99],[0.9,0.999]]}}'.",
    "unequal_budgets": "protocol=tuned: the settings' search spaces have different sizes ({sizes}"
    "), and the larger would have the better chance. Try sweep.tuning.trials={instead}.",
    "server_died": "The process that jobs are started from ended with code {code}; what it said "
    "stands above. Runs that were under way go on with the same command.",
    "control_default": "sweep.control=default stands for {key}={own}, and this sweep has other "
    "values ({choices}). Add it, or type sweep.control=VALUE, or sweep.control=null.",
    "population_launcher": "hydra.launcher.population: this launcher trains each job by itself. "
    "Leave it away, or type hydra/launcher=workers, which trains jobs together.",
    "populations": "{number} of them differ in seeds and numbers alone, and are trained up to "
    "{largest} together; hydra.launcher.population=off trains each by itself.",
    "unmeasured_members": "What runs cost that are trained together could not be measured; each is "
    "trained by itself: {reason}",
    "alone": "Trained alone, {number} of them: {reason}.",
    "population_died": "{number} runs that were trained together: {reason}. Those that had not "
    "ended go on one by one from their last checkpoints.",
    "no_trial": "no trial came to a result: every one diverged, or measured nothing. Try other "
    "values: optim.search={{lr:[...]}}",
    "foreign_sweeper": "hydra/launcher=workers carries out the jobs of hydra/sweeper=grid and "
    "optuna5, which plan them. With another sweeper, type hydra/launcher=basic.",
    "subdir": "{given} has no effect: the folder of a run is named by what is swept and by its "
    "identity, by which it is found again.",
    "long_name": "{path}: a name of {length} bytes is longer than a folder's can be here ({most}). "
    "Give hydra.run.dir or hydra.sweep.dir a shorter one, or leave it away: folders are then named "
    "by the run's identity.",
    "no_record": "hydra/launcher: the job has ended and left no record in {path}. The launcher did "
    "not carry it out, or in another folder. Try hydra/launcher=workers.",
    "sweep_begins": "Planning the sweep, and loading PyTorch ...",
    "run_begins": "Loading PyTorch ...",
    "sweep_failed": "{number} of the jobs came to nothing; the table above says why. The same "
    "command tries the interrupted ones again, with sweep.retry_failed=true the failed ones too.",
    "launcher_package": "hydra/launcher={launcher} needs the package {package}, which is not "
    "installed here. Type pip install -e '.[cluster]'.",
    "no_cluster": "hydra.launcher.address={given}: no Ray cluster answers there ({reason}). Start "
    "one with ray start --head, or leave the address away: Ray is then started on this machine.",
    "no_node": "hydra.launcher: a job takes {cpus} cores and {gpus} GPUs, and no node has them; "
    "the most that one has is {most} and {most_gpus}. Try hydra.launcher.num_cpus={most} "
    "hydra.launcher.num_gpus={most_gpus}, or less.",
    "idle_gpus": "The cluster has GPUs, and the jobs take none: hydra.launcher.num_gpus=1 gives "
    "each job one.",
    "not_shared": "{host}: {path} is not the launching machine's folder of that name. Every "
    "machine must see it at the same path: docs/cluster.md.",
    "node_refuses": "a node of the cluster cannot start jobs ({reason}). Every machine needs the "
    "same checkout and packages: docs/cluster.md.",
    "node_memory": "Ray ended it, because the memory of its node ran out",
    "losses": "its machine was lost {number} times while it ran",
    "no_slurm": "hydra/launcher=slurm: there is no sbatch and srun here. Type the command on a "
    "login node of the cluster; hydra.launcher.cluster=local tries it out on this machine.",
    "slurm_ended": "SLURM ended it: {state}; its log is {log}",
    "lost": "{name}: its machine is gone; it goes on elsewhere from its last checkpoint.",
    "no_optuna": "hydra/sweeper=optuna5 needs {package}, and {found}. "
    "Type pip install -e '.[search]'.",
    "nothing_to_search": "hydra/sweeper=optuna5: nothing is left to search. Give a key several "
    "values, e.g. 'optim.lr=tag(log,interval(1e-4,1e-1))' or model.hidden=[64],[128], or leave "
    "optim.lr to the search of the optimizer's own file.",
    "searched_fold": "{given}: a fold is nothing to search for. Search on one (data.fold=0), and "
    "sweep over the folds with what was found.",
    "tuned_folds": "data.folds={given}: protocol=tuned is not offered with folds: points that one "
    "fold tests would choose the values for another. Leave protocol=tuned or data.folds away.",
    "searched_seed": "seed: a search that chose a seed would choose luck. For several runs of each "
    "trial, whose mean counts, type sweep.seeds=3.",
    "searched_test": "test=true: a search never touches the test set. Leave it away, and train "
    "best.yaml of its folder afterwards.",
    "search_protocol": "protocol={given}: a search is no comparison, and has no protocol. Leave it "
    "away, or leave hydra/sweeper=optuna5 away.",
    "tag": "{given}: the only tag that means something here is log, around interval(...) or "
    "range(...). Try key=tag(log,interval(0.001,1)).",
    "interval": "{given}: this is no interval to search. Give the lower end first; with "
    "tag(log,...) it is above 0, and there are no steps.",
    "empty_range": "{given}: this range is empty. Write range(START,STOP,STEP), STOP excluded.",
    "grid_interval": "{key}: an interval has no list of values for sampler=grid. Give them "
    "({key}=0.01,0.1), or range({key}) with a step, or try hydra.sweeper.sampler=tpe.",
    "cmaes": "hydra.sweeper.sampler=cmaes moves two or more numbers together, and this space has "
    "{given}. Try hydra.sweeper.sampler=tpe or gp.",
    "wilcoxon_seeds": "hydra.sweeper.pruner=wilcoxon stops no trial of {given} seeds: it compares "
    "trials by their seeds, its p can first be below {p} after {after} of them, and one has to be "
    "left to be spared. Type sweep.seeds={least} or more, or leave the pruner away.",
    "pruner_waits": "hydra.sweeper.pruner={pruner}: under this launcher a run cannot be stopped "
    "on the way; a trial that is given up is spared its further seeds.",
    "resume_done": "resume={path}: this run is {status} after {epochs} epochs, {steps} steps, and "
    "has nothing left to do. To go on, give a larger budget: {instead}.",
    # figures
    "expression": "expr={given}: {reason}. Allowed are {allowed}.{hint}",
    "graph_name": "{name} is {reason}. Call the variable something else.",
    "graph_variable": "{name}: the expression {expression} has no such variable, and the figure no "
    "such key. Variables: {names}. Keys: {keys}.{hint}",
    "graph_value": "{names}: no value in {expression}. Type {instead}",
    "window": "kernel_size={kernel}: the window is larger than the input of {size} with "
    "padding={padding} on both sides, {padded}. Try kernel_size={padded}.",
    "landscape_data": "run={path}: its data have changed since: {change}. The landscape would be "
    "that of another loss. Put the old data back, or leave run away.",
    "no_filters": "{path}: {what} has no filters that a page can show. Give a run of model=cnn on "
    "images or signals.",
    "graph_not_finite": "{what} is {value}. Choose other values, where all numbers are finite.",
    "pooled_two_factors": "sweep.test=dunnett with sweep.factor=[{given}]: it compares settings of "
    "one factor. Leave sweep.test away, since main effects and interaction are tested by sign "
    "flips, or type sweep.factor={first}.",
    # comparisons, and what they read from W&B
    "which_runs": "Compare which runs? Type runs=FOLDER, of a sweep or of several, or "
    "source=wandb:ENTITY/PROJECT. Sweeps here: {choices}.",
    "no_such_runs": "runs={path}: there is no such folder. Give one of a sweep, such as "
    "outputs/sweeps/activations, or of a run.",
    "no_runs": "runs={path}: no run lies there or below (a run has a record.json). Make some: "
    "python train.py sweeps=activations",
    "no_readable_run": "None of the {number} runs there can be read; the first: {reason}",
    "designs_differ": "The sweeps declare different things as {key} ({each}). Say which: {key}=...",
    "protocols_differ": "Some of the sweeps were tuned and some were not ({each}): these are "
    "different comparisons. Give those of one kind.",
    "late_test": "The test is {test}, which {how}. {given} was not declared before all of the runs "
    "and is not used: a test that is chosen after them proves little. The next sweep can declare "
    "it: sweep.test={first}.",
    "pooled_factors": "sweep.test=dunnett was declared, which is of one factor: two are tested by "
    "sign flips.",
    "several_looks": "The sweeps were to be judged at different looks ({each}), and those of one "
    "share the chance of a false claim among them. Compare each by itself: runs=FOLDER.",
    "no_looks": "{path} declared no looks before its first run, so that it cannot be judged at "
    "one. The next sweep can: sweep.until=settled.",
    "looks_factors": "sweep.until=settled was declared, which is of one factor: two are judged "
    "once, at the seeds that are there, and where they stopped for what was seen, p is too small.",
    "looks_exact": "sweep.until=settled was declared with sweep.test={given}: looks are those of "
    "the exact sign-flip test, which speaks.",
    "unheard_looks": "{path} declared its looks when runs were there, so that they are not those "
    "of the verdict: looks that are chosen after runs prove little.",
    "control_open": "comparisons=control: compared with which? Type control=VALUE of {factor}, or "
    "leave comparisons away to compare all pairs.",
    "factor_open": "What is compared? The runs differ in: {choices}. Type factor=KEY, or two: "
    "factor=[KEY,KEY].",
    "too_many_factors": "factor={given}: give one key, or two different ones. The runs can be "
    "compared again by another.",
    "unknown_factor": "factor={given}: the runs have no such key. They differ in: {choices}.{hint}",
    "constant_factor": "factor={given}: all runs have {value}. They differ in: {choices}.",
    "no_control": "control={given}: no run of {task} has it. There are: {choices}.{hint}",
    "several_controls": "control={given}: this could be {choices}. Compare by the key that tells "
    "them apart, e.g. factor=optim.lr, or leave the others' runs away.",
    "wandb_source": "source={given}: write wandb:ENTITY/PROJECT for all runs of a project of W&B, "
    "or wandb:ENTITY/PROJECT/SWEEP for those of one sweep.",
    "wandb_no_key": "{server}: there is no key for this server of W&B. Type wandb login, or "
    "export WANDB_API_KEY=...",
    "wandb_setup": "W&B cannot be asked: {reason}. Set it right, or compare run folders: "
    "runs=outputs/sweeps/NAME.",
    "wandb_silent": "{server}: this server of W&B does not answer. Try again later, or compare run "
    "folders: runs=outputs/sweeps/NAME.",
    "wandb_refused": "{server}: this server of W&B says no: {reason}. wandb login sets another "
    "key; WANDB_BASE_URL names another server.",
    "wandb_project": "source=wandb:{given}: this server of W&B has no such project, or does not "
    "show it to you.",
    "wandb_sweep": "source=wandb:{path}/{given}: the project has no runs of such a sweep. It has "
    "those of: {choices}.{hint}",
    "wandb_unread": "source={given}: no run there can be read. {reason}. Compare run folders "
    "instead: runs=outputs/sweeps/NAME.",
    "no_workspaces": "dashboard=true needs the package wandb-workspaces ({reason}). Type "
    "pip install -e '.[dashboard]'.",
}
