"""Colours that mean something in the reports, told apart by people who do not see red and green."""

DELIVERED = "#0072b2"
HANDED_OVER_RIGHTLY = "#56b4e9"
HANDED_OVER = "#e69f00"
FAILED = "#d55e00"

SKILLS = {
    "walk": "#4477aa",
    "approach": "#66ccee",
    "grasp": "#ee6677",
    "place": "#228833",
    "align": "#aa3377",
    "back_out": "#ccbb44",
}
OTHER_SKILL = "#999999"


def of_skill(name: str) -> str:
    return SKILLS.get(name, OTHER_SKILL)
