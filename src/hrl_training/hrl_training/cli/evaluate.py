"""`./hrl evaluate SKILL`: run trials drawn from a task file in full physics and count.

Trials are those of the seeds from --seed on; the same seed and file give the same trial. Ctrl-C
keeps what is there. Writes rows.jsonl, plots and index.html into the folder --out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.progress import TimeRemainingColumn as Remaining

from hrl_core.config import ConfigError
from hrl_core.number_options import integer
from hrl_core.paths import file_to_write, folder_to_write
from hrl_core.policy.card import add_training_seed
from hrl_core.robot import DEFAULT_ROBOT, load_robot
from hrl_skills.library import policy_folder
from hrl_training.jobs.processes import run_parallel
from hrl_training.tasks.ranges import Tasks
from hrl_training.tasks.registry import (
    entry_of,
    load_tasks,
    make_trials,
    skills_with,
    task_file,
)
from hrl_training.trials.card_figures import put_into_card, success_figure
from hrl_training.trials.journal import Journal, to_json
from hrl_training.trials.page import write_evaluation_page
from hrl_training.trials.plots import draw_plots
from hrl_training.trials.row import Options, Policy, Row, row_from_dict
from hrl_training.trials.summary import compare, summarise
from hrl_training.trials.table import show
from hrl_training.trials.video import Filming

INTERRUPTED = 130  # exit status, as shells use it
JOURNALS: dict[Policy, str] = {"learned": "rows.jsonl", "script": "script_rows.jsonl"}


class Evaluation:
    """What the command line asks for, and the rows that came of it."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options, self.console = options, console
        self.skill: str = options.skill
        self.tasks_file = task_file(self.skill, options.tasks)
        self.tasks: Tasks = load_tasks(self.skill, self.tasks_file)
        self.out: Path = options.out or Path("out", "evaluate", self.skill)
        self.seeds = range(options.seed, options.seed + options.trials)
        self.script_seeds = self.seeds[: options.script_trials]  # None: all
        both: list[Policy] = ["learned", "script"]
        self.policies: list[Policy] = both if options.policy == "both" else [options.policy]
        self.rows: dict[Policy, list[Row]] = {}
        self.experiments: dict[str, Any] = {}
        self.interrupted = False
        self._weights = _weights_hash(self.skill, load_robot(options.robot).name, options.weights)

    def run(self) -> None:
        """Run the trials of every policy; Ctrl-C ends it and keeps what is there."""
        try:
            for policy in self.policies:
                self._run_policy(policy)
            if self.skill in skills_with("experiments"):
                self._run_experiments()
        except KeyboardInterrupt:
            self.interrupted = True

    def trial_options(self, policy: Policy) -> Options:
        given = self.options
        return Options(policy, not given.no_vision, given.weights, given.robot)

    def _run_policy(self, policy: Policy) -> None:
        options = self.options
        path, header = self.out / JOURNALS[policy], self._header(policy)
        journal = Journal(path, header, options.resume, row_from_dict)
        wanted = self.script_seeds if policy == "script" else self.seeds
        try:
            left = [seed for seed in wanted if seed not in journal.rows]
            make = partial(make_trials, self.skill, self.tasks, self.trial_options(policy))
            successes = sum(row.success for seed, row in journal.rows.items() if seed in wanted)
            with self._progress() as progress:
                task = progress.add_task(
                    f"{self.skill}, {policy}",
                    total=len(wanted),
                    completed=len(wanted) - len(left),
                    successes=successes,
                )
                with closing(run_parallel(make, left, self._workers(len(left)))) as results:
                    for _, row in results:
                        journal.add(row)
                        successes += row.success
                        progress.update(task, advance=1, successes=successes)
        finally:
            journal.close()
            kept = [journal.rows[seed] for seed in wanted if seed in journal.rows]
            self.rows[policy] = kept

    def _run_experiments(self) -> None:
        experiments = entry_of(self.skill, "experiments").load("experiments")
        options = self.trial_options(self.policies[0])
        todo = experiments.cases(self.options.seed, self.options.trials)
        make = partial(experiments, self.tasks, options)
        with self._progress(counting=False) as progress:
            task = progress.add_task(f"{self.skill}, fixed experiments", total=len(todo))
            results = []
            workers = self._workers(len(todo))
            with closing(run_parallel(make, todo, workers, "case")) as stream:
                for result in stream:
                    results.append(result)
                    progress.update(task, advance=1)
        results.sort(key=lambda pair: todo.index(pair[0]))
        self.experiments = experiments.summarise(results)

    def film(self, count: int) -> dict[int, Path]:
        """Film the first failures of the first policy: seed -> file."""
        policy = self.policies[0]
        rows = [row for row in self.rows[policy] if not row.success][:count]
        if len(rows) < count:
            self.console.print(
                f"{len(rows)} of {len(self.rows[policy])} trials failed: no more to film"
            )
        if not rows:
            return {}
        options = self.trial_options(policy)
        make_rows = partial(make_trials, self.skill, self.tasks, options)
        make = partial(Filming, make_rows, self.skill, policy, self.out / "videos")
        videos = {}
        with self._progress(counting=False) as progress:
            task = progress.add_task("filming failures", total=len(rows))
            workers = self._workers(len(rows))
            with closing(run_parallel(make, rows, workers, "row")) as films:
                for row, (path, same) in films:
                    videos[row.seed] = path
                    progress.update(task, advance=1)
                    if not same:
                        self.console.print(f"seed {row.seed} went otherwise when it was filmed")
        return videos

    def result(self) -> dict[str, Any]:
        """What --json writes."""
        options, difficulty = self.options, self.tasks.difficulty
        first = self.policies[0]
        rows = self.rows.get(first, [])
        summary = {
            "skill": self.skill,
            **summarise(rows, difficulty),
            "tasks": self._tasks_id(),
            "seed": options.seed,
            "policy": options.policy,
            "label": first,
            "vision": not options.no_vision,
            "weights_sha256": self._weights,
            "interrupted": self.interrupted,
            "command": command_line(options),
        }
        result: dict[str, Any] = {"summary": summary}
        if self.experiments:
            summary["experiments"] = self.experiments
        result["rows"] = [row.as_dict() for row in rows]
        if "script" in self.rows and first != "script":
            script = self.rows["script"]
            summary["script"] = summarise(script, difficulty)
            summary["comparison"] = compare(rows, script, difficulty)
            result["script_rows"] = [row.as_dict() for row in script]
        return result

    def _tasks_id(self) -> dict[str, str]:
        digest = hashlib.sha256(self.tasks_file.read_bytes()).hexdigest()
        return {"file": self.tasks_file.name, "sha256": digest}

    def _header(self, policy: Policy) -> dict[str, Any]:
        return {
            "skill": self.skill,
            "tasks": self._tasks_id()["sha256"],
            "policy": policy,
            "vision": not self.options.no_vision,
            "weights": self._weights,
        }

    def _workers(self, jobs: int) -> int:
        return max(1, min(self.options.workers, jobs))

    def _progress(self, counting: bool = True) -> Progress:
        columns = [TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn()]
        if counting:
            columns.append(TextColumn("{task.fields[successes]} succeeded"))
        return Progress(*columns, Elapsed(), Remaining(), console=self.console)


def _weights_hash(skill: str, robot: str, folder: Path | None) -> str | None:
    path = (folder or policy_folder(skill, robot)) / "weights.pt"
    if not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def command_line(options: argparse.Namespace, weights: bool = True) -> str:
    """The command that measures the same again."""
    words = ["./hrl", "evaluate", options.skill]
    if options.robot != DEFAULT_ROBOT:
        words += ["--robot", options.robot]
    if options.tasks:
        words += ["--tasks", str(options.tasks)]
    words += ["--trials", str(options.trials), "--seed", str(options.seed)]
    if options.policy != "learned":
        words += ["--policy", options.policy]
    if options.script_trials is not None:
        words += ["--script-trials", str(options.script_trials)]
    if options.no_vision:
        words += ["--no-vision"]
    if options.weights and weights:
        words += ["--weights", str(options.weights)]
    return shlex.join(words)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./hrl evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("skill", choices=skills_with("trials"))
    parser.add_argument("--robot", default=DEFAULT_ROBOT, help="name or file of who is measured")
    parser.add_argument("--tasks", metavar="FILE", help="task file (default config/tasks/SKILL)")
    parser.add_argument("--trials", type=integer(1), default=500, help="default 500")
    parser.add_argument("--seed", type=integer(), default=0, help="of the first trial")
    parser.add_argument("--policy", choices=("learned", "script", "both"), default="learned")
    parser.add_argument(
        "--script-trials",
        type=integer(1),
        metavar="K",
        help="of the script, with --policy both: the first K seeds",
    )
    parser.add_argument("--no-vision", action="store_true", help="true poses instead of cameras")
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help="default: those shipped")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--workers", type=integer(1), default=cores, help="processes; default: all cores"
    )
    parser.add_argument(
        "--json", type=file_to_write, metavar="FILE", help="summary and a row per trial"
    )
    parser.add_argument(
        "--out", type=folder_to_write, metavar="FOLDER", help="default out/evaluate/SKILL"
    )
    parser.add_argument(
        "--video", type=integer(), default=0, metavar="K", help="film the first failures"
    )
    parser.add_argument("--card", action="store_true", help="put the figures into the card")
    parser.add_argument(
        "--card-seed",
        action="store_true",
        help="note the success rate in the shipped card, as that of the training seed of --weights",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the rows in --out")
    options = parser.parse_args(arguments)
    if options.script_trials is not None and options.policy != "both":
        parser.error(f"--script-trials: goes with --policy both, not with {options.policy}")
    if options.weights is not None and not (options.weights / "card.yaml").is_file():
        raise ConfigError(f"--weights {options.weights}: holds no card.yaml")
    if (options.card or options.card_seed) and options.policy == "script":
        parser.error("--card: the card is that of the learned policy, and only a script would run")
    return options


def _note(options: argparse.Namespace, summary: Any, console: Console) -> None:
    """Put what was measured into the cards that the command line asks for."""
    shipped = policy_folder(options.skill, load_robot(options.robot).name)
    folder = options.weights or shipped
    if options.card:
        # The card lies beside the weights that it is about.
        put_into_card(folder, summary, command_line(options, weights=False))
        console.print(f"figures put into {folder / 'card.yaml'}", soft_wrap=True)
    if options.card_seed:
        figure = success_figure(summary, command_line(options))
        add_training_seed(shipped, folder, figure)
        console.print(f"training seed noted in {shipped / 'card.yaml'}", soft_wrap=True)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    console = Console(highlight=False)
    evaluation = Evaluation(options, console)
    evaluation.run()
    result = evaluation.result()
    show(result, console)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(to_json(result, indent=1) + "\n", encoding="utf-8")
    if evaluation.interrupted:
        console.print("interrupted; the same command with --resume goes on")
    else:
        _note(options, result["summary"], console)
    if result["rows"]:
        films = {} if evaluation.interrupted else evaluation.film(options.video)
        page = evaluation.out / "index.html"
        write_evaluation_page(page, result, draw_plots(result, evaluation.out), films)
        console.print(f"tables, plots, failures: {page}", soft_wrap=True)
    return INTERRUPTED if evaluation.interrupted else 0


if __name__ == "__main__":
    raise SystemExit(main())
