"""The documentation says what the code says."""

import re
from pathlib import Path

import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_master.behaviour_tree import build
from hrl_master.ledger import Ledger
from hrl_master.replay import tree_text
from hrl_master.tree.leaves import Blackboard
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.faults import DISTURBANCES, FaultKind
from hrl_sim_bridge.worlds.loading import load_world
from hrl_skills import align, approach, back_out, grasp, place, walk

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


def test_the_behaviour_tree_is_documented_as_it_is():
    assert "\n".join(tree_text(build(Blackboard()))) in read("docs/master.md")
    assert (ROOT / "docs" / "behaviour_tree.png").stat().st_size < 200_000


def test_every_action_and_service_is_documented():
    text = read("docs/topics.md")
    named = {**topics.ACTIONS, **dict([topics.RESET_PLANT, topics.PAUSE_PLANT, topics.STEP_PLANT])}
    named |= dict([topics.INJECT_FAULT, topics.RESET_LOCALISATION])
    for name, kind in named.items():
        assert f"`{name}` | {kind}" in text


def test_every_column_of_the_ledger_is_documented(tmp_path):
    text = read("docs/ledger.md")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ours = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        for table in ledger.rows(ours):
            row = re.search(rf"^\| `{table['name']}` \|.*$", text, re.M)
            assert row is not None, table["name"]
            for column in ledger.rows(f"PRAGMA table_info({table['name']})"):
                assert f"`{column['name']}`" in row[0], (table["name"], column["name"])


def test_every_outcome_code_is_documented_with_its_number():
    rows = dict(re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", read("docs/skills.md"), re.M))
    assert {int(code): name for code, name in rows.items()} == {c.value: c.name for c in Code}


@pytest.mark.parametrize("skill", [walk, approach, grasp, place, align, back_out])
def test_the_bounds_of_the_skills_are_those_of_the_code(skill):
    name = skill.__name__.rpartition(".")[2]
    row = re.search(rf"^\| `{name}` \|.*\| (\d+) steps \|$", read("docs/skills.md"), re.M)
    assert row is not None and int(row[1]) == skill.MAX_STEPS


def test_every_kind_of_fault_and_disturbance_is_documented():
    for kind in (*(kind.value for kind in FaultKind), *DISTURBANCES):
        assert f"| `{kind}` |" in read("docs/worlds.md")


def test_the_world_in_the_documentation_loads(tmp_path):
    example = re.search(r"```yaml\n(.*?)```", read("docs/worlds.md"), re.S)
    assert example is not None
    file = tmp_path / "corner.yaml"
    file.write_text(example[1])
    world = load_world(file)
    assert world.site.name == "corner"
    assert draw_trial(world, 0).order.to_station == "packing"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).is_file(), target


def test_the_table_of_changes_names_files_that_are_there():
    table = read("docs/architecture.md").partition("## Where to change what")[2]
    for path in re.findall(r"`((?:hrl_\w+|config)/[\w/.]*)`", table):
        package = path.partition("/")[0]
        bases = (ROOT, ROOT / "src", ROOT / "src" / package)
        assert any((base / path).exists() for base in bases), path


@pytest.mark.parametrize("picture", sorted((ROOT / "docs").rglob("*.png")), ids=lambda p: p.name)
def test_pictures_are_small(picture):
    assert picture.stat().st_size < 300_000
