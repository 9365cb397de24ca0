"""Trials and trainings of skills that other packages bring, found by entry points.

Group `hrl.trials`: name = module:Class, a hrl_training.evaluation.trial.Trials made with
(tasks, options), whose `tasks_model` is the model of its task file; the default one is
tasks/<name>.yaml beside the module. Group `hrl.training`: name = module:function, which takes a
TrainingRun.
"""

from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hrl_core.config import ConfigError

TRIALS, TRAINING = "hrl.trials", "hrl.training"


def names(group: str) -> list[str]:
    """What other packages bring."""
    return sorted({point.name for point in entry_points(group=group)})


def load(group: str, name: str) -> Any:
    """The class or function of a skill; raises ConfigError where it cannot be had."""
    point = _find(group, name)
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{group} of {name!r}: cannot import {point.value}: {error}") from error


def default_tasks(name: str) -> Path:
    """The task file that comes with a skill's trials."""
    point = _find(TRIALS, name)
    spec = find_spec(point.module)
    if spec is None or spec.origin is None:
        raise ConfigError(f"{TRIALS} of {name!r}: there is no module {point.module}")
    return Path(spec.origin).parent / "tasks" / f"{name}.yaml"


def _find(group: str, name: str) -> EntryPoint:
    points = {point.value: point for point in entry_points(group=group, name=name)}
    if len(points) != 1:
        found = f"is there twice: {sorted(points)}" if points else f"is unknown: {names(group)}"
        raise ConfigError(f"{group}: {name!r} {found}")
    return next(iter(points.values()))
