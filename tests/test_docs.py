"""The documentation says what the code says."""

import re
from pathlib import Path

import pytest

from hrl_bringup.cli import app
from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_master.ledger import Ledger
from hrl_sim_bridge.faults import FaultKind
from hrl_sim_bridge.world import load_world
from hrl_skills import approach, grasp, place, walk

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_topic_is_documented_with_its_type():
    text = read("docs/topics.md")
    listed = [topic for topic in vars(topics).values() if isinstance(topic, topics.Topic)]
    for camera in topics.CAMERAS:
        listed += [topics.image(camera), topics.depth(camera), topics.camera_info(camera)]
    for topic in listed:
        row = next((line for line in text.splitlines() if f"`{topic.name}`" in line), None)
        assert row is not None and topic.type in row, topic


def test_every_action_and_service_is_documented():
    text = read("docs/topics.md")
    named = {**topics.ACTIONS, **dict([topics.RESET_PLANT, topics.PAUSE_PLANT, topics.STEP_PLANT])}
    named |= dict([topics.INJECT_FAULT, topics.RESET_LOCALISATION])
    for name, kind in named.items():
        assert f"`{name}` | {kind}" in text


def test_every_column_of_the_ledger_is_documented(tmp_path):
    text = read("docs/ledger.md")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for table in ledger.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
            row = re.search(rf"^\| `{table['name']}` \|.*$", text, re.M)
            assert row is not None, table["name"]
            for column in ledger.rows(f"PRAGMA table_info({table['name']})"):
                assert f"`{column['name']}`" in row[0], (table["name"], column["name"])


def test_every_outcome_code_is_documented_with_its_number():
    rows = dict(re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", read("docs/skills.md"), re.M))
    assert {int(code): name for code, name in rows.items()} == {c.value: c.name for c in Code}


@pytest.mark.parametrize("skill", [walk, approach, grasp, place])
def test_the_bounds_of_the_skills_are_those_of_the_code(skill):
    name = skill.__name__.rpartition(".")[2]
    row = re.search(rf"^\| `{name}` \|.*\| (\d+) steps \|$", read("docs/skills.md"), re.M)
    assert row is not None and int(row[1]) == skill.MAX_STEPS


def test_every_kind_of_fault_is_documented():
    for kind in FaultKind:
        assert f"| `{kind.value}` |" in read("docs/worlds.md")


def test_the_world_in_the_documentation_loads(tmp_path):
    example = re.search(r"```yaml\n(.*?)```", read("docs/worlds.md"), re.S)
    assert example is not None
    file = tmp_path / "corner.yaml"
    file.write_text(example[1])
    world = load_world(file)
    assert world.site.name == "corner"
    assert world.sample(0).order.to_station == "packing"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page):
    script = read("hrl")
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    for name in re.findall(r"\./hrl ([a-z-]+)", page.read_text(encoding="utf-8")):
        assert name in known or re.search(rf"^\s*{name}\)", script, re.M), name


def test_the_picture_is_small():
    assert (ROOT / "docs" / "demo.png").stat().st_size < 300_000
