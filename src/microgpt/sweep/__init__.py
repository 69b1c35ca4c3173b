"""Sweeps: many short trainings in parallel, to find the settings that learn best.

In: text, knobs with their ranges, a budget. Out: a folder with every training's loss, the best one
as a run. One process asks Optuna and listens; a process a core trains, and knows nothing of it.

::

    knob       a setting and its values
    space      the knobs together
    settings   what a sweep was told
    trainer    one training after the other on documents read once
    worker     a process that trains what it is sent
    heart      which machines of a shared study are alive
    storage    the database of a study
    trial      one training, and what became of it
    effects    how far each knob moves the loss
    study      Optuna: what to try next, what to give up, what came of it
    loop       trials until the budget is spent
    folder     sweeps/NAME-1: new, or to be gone on with
    best       the best trial as a run, and as a command
"""
