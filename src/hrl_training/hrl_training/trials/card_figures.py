"""The figures of an evaluation, as they stand in the card beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hrl_core.policy.card import Card, Comparison, Figure, load_card, save_card
from hrl_training.trials.statistics import wilson_interval
from hrl_training.trials.summary import FORCE_LIMIT, Summary
from hrl_training.trials.table import named

DIGITS = 4


class _Writer:
    """Makes figures of one evaluation; its way (`with cameras`) ends every metric."""

    def __init__(self, summary: Summary, command: str) -> None:
        self.way = way_of(summary)
        self._trials, self._seed, self._command = summary["trials"], summary["seed"], command
        self._tasks = summary["tasks"]["file"]

    def figure(
        self,
        metric: str,
        value: float,
        interval: tuple[float, float] | None = None,
        trials: int | None = None,
    ) -> Figure:
        if interval is not None:
            interval = (round(interval[0], DIGITS), round(interval[1], DIGITS))
        return Figure(
            metric=f"{metric}, {self.way}",
            value=round(float(value), DIGITS),
            interval=interval,
            trials=trials or self._trials,
            command=self._command,
            seed=self._seed,
            tasks=self._tasks,
        )


def way_of(summary: Summary) -> str:
    """How it was measured, in words: figures of one way are replaced together."""
    way = "with cameras" if summary["vision"] else "with true poses"
    if summary["skill"] == "gait":
        way = "in physics"
    file = Path(summary["tasks"]["file"]).stem
    return way if file == summary["skill"] else f"{way}, tasks {file}"


def put_into_card(folder: Path, summary: Summary, command: str) -> None:
    """Replace the figures that were measured the same way; the others stay."""
    card = load_card(folder / "card.yaml")
    save_card(folder, with_figures(card, summary, command))


def with_figures(card: Card, summary: Summary, command: str) -> Card:
    """The card with the figures and comparisons that `command` measured."""
    write = _Writer(summary, command)
    ending = f", {write.way}"

    def stays(figure: Figure) -> bool:
        return "evaluate" not in figure.command or not figure.metric.endswith(ending)

    figures = [figure for figure in card.figures if stays(figure)]
    comparisons = [each for each in card.comparisons if stays(each.learned)]
    if "comparison" in summary:
        comparisons += _comparisons(write, summary)
    new = [*_figures(write, summary), *_differences(write, summary)]
    return card.model_copy(update={"figures": (*new, *figures), "comparisons": tuple(comparisons)})


def success_figure(summary: Summary, command: str) -> Figure:
    """The success rate alone, as `command` measured it."""
    return _success(_Writer(summary, command), summary)


def hard_in_words(summary: Summary) -> str:
    """Which factors define the hard half: `hard half (high mass, low friction)`."""
    signs = {1: "high", -1: "low"}
    factors = summary["hard"]["factors"]
    return f"hard half ({', '.join(f'{signs[s]} {name}' for name, s in factors.items())})"


def _success(write: _Writer, summary: Summary) -> Figure:
    return write.figure("success rate", summary["success_rate"], summary["interval"])


def _figures(write: _Writer, summary: Summary) -> list[Figure]:
    gait = summary["skill"] == "gait"
    found = [_success(write, summary)]
    parts = {"open": "in the open", "cluttered": "in clutter"}
    if "hard" in summary:
        parts["hard"] = hard_in_words(summary)
    for key, words in parts.items():
        part = summary.get(key)
        if part and part["trials"]:
            metric, rate = f"success rate, {words}", part["success_rate"]
            found.append(write.figure(metric, rate, part["interval"], part["trials"]))
    if not gait:
        found.append(write.figure("median time, s", summary["duration_median"]))
        for key, name in (("false_success", "succeeded"), ("false_failure", "failed")):
            share = summary[key]
            metric = f"share of trials with a false {name!r}"
            found.append(write.figure(metric, share["share"], share["interval"]))
    for name, measure in summary["measures"].items():
        if "rms" in measure:
            found.append(
                write.figure(f"error of {named(name)}, RMS of 0.5 s means", measure["rms"])
            )
        else:
            found.append(write.figure(f"{named(name)}, mean", measure["mean"]))
            found.append(write.figure(f"{named(name)}, 95 % of the trials", measure["p95"]))
    if "force_over_60_n" in summary:
        count, trials = summary["force_over_60_n"], summary["measures"]["force"]["trials"]
        metric = f"share of trials above {FORCE_LIMIT:.0f} N"
        found.append(write.figure(metric, count / trials, wilson_interval(count, trials), trials))
    if "ece" in summary:
        found.append(write.figure("expected calibration error of the chances", summary["ece"]))
    for metric, figure in summary.get("experiments", {}).items():
        found.append(write.figure(metric, figure["value"], trials=figure["trials"]))
    return found


def _differences(write: _Writer, summary: Summary) -> list[Figure]:
    found = []
    for name, half in summary.get("comparison", {}).items():
        on = _on(name, summary)
        trials = half["trials"]
        if not trials:
            continue
        metric = f"success rate, learned minus script, {on}"
        found.append(write.figure(metric, half["difference"], half["interval"], trials))
        if "time_ratio" in half and summary["skill"] != "gait":
            ratio = half["time_ratio"]
            metric = f"median time where both succeed, learned over script, {on}"
            found.append(write.figure(metric, ratio["value"], ratio["interval"], ratio["trials"]))
    return found


def _comparisons(write: _Writer, summary: Summary) -> list[Comparison]:
    def side(half: dict[str, Any], policy: str) -> Figure:
        its = half[policy]
        metric = f"success rate of the {policy} policy"
        return write.figure(metric, its["success_rate"], its["interval"], its["trials"])

    return [
        Comparison(
            on=_on(name, summary), learned=side(half, "learned"), script=side(half, "script")
        )
        for name, half in summary["comparison"].items()
        if half["trials"]
    ]


def _on(half: str, summary: Summary) -> str:
    return {"all": "all trials", "easy": "easy half"}.get(half) or hard_in_words(summary)
