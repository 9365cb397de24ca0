"""Figures of a ledger in words; what they are made of is computed in ledger_figures."""

from typing import Any


def count(value: int, unit: str) -> str:
    return f"{value} {unit}".rstrip()


def share(value: dict[str, Any], unit: str) -> str:
    if value["share"] is None:
        return "none"
    low, high = value["interval"]
    return (
        f"{value['count']} of {value['out_of']} ({100 * value['share']:.1f} {unit} "
        f"[{100 * low:.1f}, {100 * high:.1f}])"
    )


def containment(value: dict[str, Any], unit: str) -> str:
    return f"{share(value, unit)} of {value['of']}"


def times(value: dict[str, float | None], unit: str) -> str:
    if value["median"] is None:
        return "none"
    return (
        f"median {value['median']:.1f} {unit}, mean {value['mean']:.1f} {unit}, "
        f"90 % {value['p90']:.1f} {unit}"
    )


def cost(value: dict[str, Any], unit: str) -> str:
    """Its unit is the currency of the rates."""
    each, money = value["per_delivered_order"], unit or value["currency"]
    if each is None:
        return "none was delivered"
    parts = ", ".join(f"{n.replace('_', ' ')} {v:.2f}" for n, v in value["parts"].items() if v)
    return f"{each:.2f} {money} ({value['total']:.2f} {money} in all: {parts})"


def before_an_intervention(value: dict[str, Any], unit: str) -> str:
    if value["mean"] is None:
        return "no intervention"
    return f"{value['mean']:.1f} {unit} in the mean, {value['longest_run']} in the longest run"


def approvals(value: dict[str, Any], unit: str) -> str:
    answers = ", ".join(f"{verdict} {number}" for verdict, number in value["answers"].items())
    wait = value["median_wait_s"]
    waited = "" if wait is None else f"; median wait for an answer {wait:.0f} {unit}"
    return f"{value['asked']} asked" + (f": {answers}{waited}" if answers else "")


def skill(value: dict[str, Any]) -> str:
    failures = "".join(f"; {code}: {number}" for code, number in value["failures"].items())
    return (
        f"{value['worked']} of {value['attempts']} worked, median "
        f"{value['median_duration_s']:.1f} s{failures}"
    )
