"""Skills are found by entry points, ours and those of other packages; wrong ones are refused."""

import ast
from pathlib import Path

import pytest

from hrl_core.config import ConfigError
from hrl_core.outcomes import Code, own_code
from hrl_core.robot import load_robot
from hrl_core.site import load_site
from hrl_skills import library

SKILL = """
from hrl_core.outcomes import Code
from hrl_core.control import STOP
from hrl_skills.skill import Contract


class Wave:
    name, max_steps = "wave", 10
    contract = Contract({contract})

    def __init__(self, site, robot):
        self.site = site

    def start(self, goal, sensed): ...
    def tick(self, sensed): ...
    def stop(self): return STOP
    def conditions(self, goal, sensed): return {{}}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install(package, entry, contract): a package with a module `skill` and an entry point."""

    def install(package: str, entry: str, contract: str = "") -> Path:
        folder = tmp_path / f"of_{package}"
        info = folder / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
        (folder / package / "skill.py").write_text(SKILL.format(contract=contract))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{library.GROUP}]\n{entry}\n")
        monkeypatch.syspath_prepend(str(folder))
        return folder / package

    return install


def test_our_own_are_declared_as_every_package_declares_its_skills():
    setup = Path(library.__file__).parents[1] / "setup.py"
    calls = [node for node in ast.walk(ast.parse(setup.read_text())) if isinstance(node, ast.Call)]
    made = next(call for call in calls if getattr(call.func, "id", "") == "setup")
    given = next(k.value for k in made.keywords if k.arg == "entry_points")
    declared = ast.literal_eval(given)[library.GROUP]
    assert dict(entry.split(" = ") for entry in declared) == library.OWN
    assert library.skill_names()[: len(library.OWN)] == tuple(library.OWN)


@pytest.mark.parametrize("name", library.OWN)
def test_our_own_say_what_they_need_and_how_they_end(name):
    found = library.load_class(name)
    assert found.contract.codes and all(code >= 100 for code in found.contract.codes)
    assert library.policy_folder(name, "spot").parts[-2:] == ("spot", name)


def test_a_skill_of_another_package_is_found_and_made(install):
    folder = install("waving_a", "wave = waving_a.skill:Wave")
    assert "wave" in library.skill_names()
    skill = library.make_skill("wave", load_site("small_warehouse"), load_robot())
    assert skill.name == "wave" and skill.contract.action.endswith("RunSkill")
    assert library.policy_folder("wave", "tim") == folder / "policies" / "tim" / "wave"


def test_two_skills_of_one_name_are_refused_with_both_places(install):
    install("waving_b", "wave = waving_b.skill:Wave")
    install("waving_c", "wave = waving_c.skill:Wave")
    with pytest.raises(ConfigError, match=r"there twice: .*waving_b.*waving_c"):
        library.load_class("wave")


def test_nobody_takes_the_place_of_one_of_ours(install):
    install("walking", "walk = walking.skill:Wave")
    with pytest.raises(ConfigError, match="skill 'walk' is there twice"):
        library.load_class("walk")


@pytest.mark.parametrize(
    "package, entry, contract, message",
    [
        ("wrong_a", "wave = nowhere.skill:Wave", "", "cannot import nowhere.skill:Wave"),
        ("wrong_b", "wave = wrong_b.skill:Bow", "", "cannot import wrong_b.skill:Bow"),
        ("wrong_c", "wave = wrong_c.skill:Code", "", r"has no \['start', 'tick'"),
        ("wrong_d", "bow = wrong_d.skill:Wave", "", "is called 'wave'; both must be the same"),
        ("wrong_e", "wave = wrong_e.skill:Wave", "'std_msgs/msg/Bool'", "action 'std_msgs/msg/B"),
        ("wrong_f", "wave = wrong_f.skill:Wave", "codes=(Code(401),)", r"codes \[401\]; allowed"),
    ],
)
def test_a_wrong_skill_is_refused_with_what_is_wrong(install, package, entry, contract, message):
    install(package, entry, contract)
    with pytest.raises(ConfigError, match=message):
        library.load_class(entry.split(" = ")[0])


def test_an_unknown_skill_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="unknown skill 'fly'; known: .*'approach'"):
        library.load_class("fly")


def test_codes_of_other_packages_have_a_name_only_where_it_is_given():
    assert Code(777).name == "CODE_777" and Code(777) not in list(Code)
    assert own_code(778, "WAVE_BLOCKED") is Code(778) and Code(778).name == "WAVE_BLOCKED"
    for number in (499, 900, 11):
        with pytest.raises(ValueError, match=f"code {number}: allowed are 500 to 899"):
            own_code(number, "WRONG")
    with pytest.raises(ValueError):
        Code(12345)
