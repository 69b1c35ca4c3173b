"""Sweeps: many short trainings in parallel, to find the settings with the lowest loss.

In: documents, knobs with their ranges, a budget. Out: a folder with the loss of every training, and
the best one as a run. One process asks Optuna for values; the others, one on each core, train, and
do not use Optuna.

::

    knob       a setting and its values
    space      the search space: all knobs
    settings   the settings of a sweep
    trainer    trains one trial after the other, on documents read once
    worker     a process that trains the trials it receives
    heart      heartbeats of the machines that share a study
    storage    the database of a study
    trial      one training and its outcome
    effects    the effect of each knob on the loss
    study      Optuna's study: values to try, trials to prune, results
    loop       trials until the budget is spent
    folder     a sweep's folder: new, or to be resumed
    best       the best trial as a run, and as a command
"""
