"""The one table of skills that can be tried and trained: ours, and those of other packages.

Each part is named as an entry point names it, `module:attribute`, and imported when it is asked
for, since trials and trainings bring MuJoCo and torch. Other packages join by entry points:

`hrl.trials`: name = module:Class, whose `tasks_model` is the model of its task file; the default
file is tasks/<name>.yaml beside the module.
`hrl.training`: name = module:function, which takes a TrainingRun.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from hrl_core.config import ConfigError, find_config, load_yaml
from hrl_training.tasks.ranges import Tasks
from hrl_training.trials.row import Options, Trials

TRIALS, TRAINING = "hrl.trials", "hrl.training"  # groups of entry points
REFERENCE = re.compile(r"[\w.]+(:[\w.]+)?")


@dataclass(frozen=True, kw_only=True)
class SkillEntry:
    """What makes trials and training of one skill; an empty part is not there."""

    name: str
    ranges: str = ""  # pydantic model of its task file
    trials: str = ""  # made with (tasks, options): a hrl_training.trials.row.Trials
    experiments: str = ""  # what `./hrl evaluate` measures besides trials
    training: str = ""  # takes a TrainingRun
    environment: str = ""  # made with (count, seed, tasks): a hrl_training.rl.ppo.VectorEnv
    script: str = ""  # made with (skill, robot): what the learned policy is compared with
    skill: str = ""  # module with OBSERVATION and ACTION, which training and robot share
    ours: bool = True  # its task file is config/tasks/<name>.yaml

    def __post_init__(self) -> None:
        for part, value in self.parts().items():
            if not REFERENCE.fullmatch(value):
                raise ConfigError(f"{self.name}: {part} = {value!r}; allowed is module:attribute")

    def parts(self) -> dict[str, str]:
        """The parts that it has: name -> reference."""
        kept = ("name", "ours")
        return {part: v for part, v in vars(self).items() if part not in kept and v}

    def load(self, part: str) -> Any:
        """Import a part; raises ConfigError where it cannot be had."""
        value = self.parts().get(part)
        if value is None:
            raise ConfigError(f"{self.name!r} has no {part}; it has {sorted(self.parts())}")
        try:
            return EntryPoint(self.name, value, part).load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"{part} of {self.name!r}: cannot import {value}: {error}") from error

    def task_file(self) -> Path:
        """Its task file; raises ConfigError where there is none."""
        if self.ours:
            return find_config("tasks", self.name)
        module = self.trials.partition(":")[0]
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ConfigError(f"{TRIALS} of {self.name!r}: there is no module {module}")
        return Path(spec.origin).parent / "tasks" / f"{self.name}.yaml"


OURS = (
    SkillEntry(
        name="gait",
        ranges="hrl_training.tasks.ranges:GaitTasks",
        trials="hrl_training.tasks.gait.trials:GaitTrials",
        experiments="hrl_training.tasks.gait.experiments:GaitExperiments",
        training="hrl_training.tasks.gait.train:train",
        environment="hrl_training.tasks.gait.train:make_env",
        script="hrl_training.tasks.gait.trials:script_policy",
        skill="hrl_skills.gait",
    ),
    SkillEntry(
        name="walk",
        ranges="hrl_training.tasks.ranges:WalkTasks",
        trials="hrl_training.tasks.navigation.trials:NavigationTrials",
        training="hrl_training.tasks.navigation.train:train",
        environment="hrl_training.tasks.navigation.walk_env:WalkEnv",
        script="hrl_training.tasks.navigation.script:script_policy",
        skill="hrl_skills.walk",
    ),
    SkillEntry(
        name="approach",
        ranges="hrl_training.tasks.ranges:ApproachTasks",
        trials="hrl_training.tasks.navigation.trials:NavigationTrials",
        training="hrl_training.tasks.navigation.train:train",
        environment="hrl_training.tasks.navigation.approach_env:ApproachEnv",
        script="hrl_training.tasks.navigation.script:script_policy",
        skill="hrl_skills.approach",
    ),
    SkillEntry(
        name="align",
        ranges="hrl_training.tasks.ranges:AlignTasks",
        trials="hrl_training.tasks.navigation.trials:NavigationTrials",
        training="hrl_training.tasks.navigation.train:train",
        environment="hrl_training.tasks.navigation.align_env:AlignEnv",
        script="hrl_training.tasks.navigation.script:script_policy",
        skill="hrl_skills.align",
    ),
    SkillEntry(
        name="back_out",
        ranges="hrl_training.tasks.ranges:BackOutTasks",
        trials="hrl_training.tasks.navigation.back_out_trials:BackOutTrials",
        training="hrl_training.tasks.navigation.train:train",
        environment="hrl_training.tasks.navigation.back_out_env:BackOutEnv",
        script="hrl_training.tasks.navigation.script:script_policy",
        skill="hrl_skills.back_out",
    ),
    SkillEntry(
        name="grasp",
        ranges="hrl_training.tasks.ranges:GraspTasks",
        trials="hrl_training.tasks.manipulation.trials:ManipulationTrials",
        training="hrl_training.tasks.manipulation.train:train_grasp",
        environment="hrl_training.tasks.manipulation.train:make_grasp_env",
        script="hrl_training.tasks.manipulation.script:script_policy",
        skill="hrl_skills.grasp",
    ),
    SkillEntry(
        name="place",
        ranges="hrl_training.tasks.ranges:PlaceTasks",
        trials="hrl_training.tasks.manipulation.trials:ManipulationTrials",
        training="hrl_training.tasks.manipulation.train:train_place",
        environment="hrl_training.tasks.manipulation.train:make_place_env",
        script="hrl_training.tasks.manipulation.script:script_policy",
        skill="hrl_skills.place",
    ),
)


def build(ours: Iterable[SkillEntry], points: Iterable[EntryPoint]) -> dict[str, SkillEntry]:
    """The table: name -> entry; raises ConfigError where a part is there twice."""
    table: dict[str, SkillEntry] = {}
    for entry in ours:
        if entry.name in table:
            raise ConfigError(f"skill {entry.name!r} is there twice")
        table[entry.name] = entry
    others: dict[str, dict[str, str]] = {}  # name -> group -> reference
    for point in points:
        if point.name in table:
            raise ConfigError(
                f"{point.group}: {point.name!r} of {point.value} is a skill of this project; "
                f"taken are {sorted(table)}"
            )
        parts = others.setdefault(point.name, {})
        # An installation that is found by two paths shows its entry points twice.
        if (before := parts.setdefault(point.group, point.value)) != point.value:
            raise ConfigError(
                f"{point.group}: {point.name!r} is there twice: {sorted([before, point.value])}"
            )
    return table | {name: _of_points(name, parts) for name, parts in others.items()}


def _of_points(name: str, parts: dict[str, str]) -> SkillEntry:
    trials = parts.get(TRIALS, "")
    ranges = f"{trials}.tasks_model" if trials else ""
    training = parts.get(TRAINING, "")
    return SkillEntry(name=name, ranges=ranges, trials=trials, training=training, ours=False)


def registry() -> dict[str, SkillEntry]:
    """All skills of this installation; raises ConfigError where one is there twice."""
    points = [point for group in (TRIALS, TRAINING) for point in entry_points(group=group)]
    return build(OURS, points)


def skills_with(part: str) -> list[str]:
    """Skills that have a part, such as `trials` or `training`."""
    return sorted(name for name, entry in registry().items() if part in entry.parts())


def entry_of(skill: str, part: str) -> SkillEntry:
    """The entry of a skill that has a part; raises ConfigError."""
    if skill not in (known := skills_with(part)):
        raise ConfigError(f"unknown skill {skill!r}; known: {known}")
    return registry()[skill]


def task_file(skill: str, name: str | Path | None = None) -> Path:
    """The skill's own task file, or the one that is given; raises ConfigError."""
    entry = entry_of(skill, "ranges")
    return entry.task_file() if name is None else find_config("tasks", str(name))


def load_tasks(skill: str, name: str | Path | None = None) -> Tasks:
    """The ranges of a task file; raises ConfigError with the place and what is allowed."""
    path = task_file(skill, name)
    return cast(Tasks, load_yaml(path, entry_of(skill, "ranges").load("ranges")))


def make_trials(skill: str, tasks: Tasks, options: Options) -> Trials:
    """The trials of a skill."""
    return entry_of(skill, "trials").load("trials")(tasks, options)
