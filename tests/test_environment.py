"""What `./hrl doctor` and `./hrl` make of the variables around them."""

import os
import subprocess

import pytest
from typer.testing import CliRunner

from hrl_bringup import doctor
from hrl_bringup.cli import app
from hrl_bringup.environment import Domain, domain_asked_for
from hrl_core.config import ConfigError
from tests.doc_commands import ROOT


def test_a_foreign_middleware_is_named_by_doctor_and_refused_by_commands(monkeypatch):
    monkeypatch.delenv("RMW_IMPLEMENTATION", raising=False)
    assert not doctor.foreign_middleware()
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_other_cpp")
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    assert doctor._middleware().cure.startswith("RMW_IMPLEMENTATION is rmw_other_cpp, which is not")
    for command in (["demo"], ["node", "walk"], ["explain", "x"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2 and "rmw_other_cpp" in result.output
    assert CliRunner().invoke(app, ["demo", "--help"]).exit_code == 0


@pytest.mark.parametrize("text", ["102", "-1", "x", "1e3"])
def test_a_domain_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("ROS_DOMAIN_ID", text)
    assert "0 to 101" in doctor._middleware().cure
    with pytest.raises(ConfigError, match=f"ROS_DOMAIN_ID={text}: allowed are 0 to 101"):
        domain_asked_for()


def test_the_domain_that_is_asked_for_is_taken_once(monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "39")
    assert "domain 39" in doctor._middleware().found
    with Domain(domain_asked_for()) as domain:
        assert domain.number == 39
        with pytest.raises(ConfigError, match="ROS_DOMAIN_ID=39: nodes of another ./hrl run there"):
            Domain(39)
    Domain(39).close()


def test_the_doctor_names_the_paths_and_one_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    found = doctor._paths()
    assert not found.cure and f"AMENT_PREFIX_PATH={tmp_path}" in found.found
    assert "sourced ROS: jazzy" in found.found and "venv" in found.found
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}/gone")
    assert f"names {tmp_path}/gone, which is not there" in doctor._paths().cure


@pytest.mark.ros
def test_what_env_sets_repeats_no_step_of_the_set_up():
    environment = {name: v for name, v in os.environ.items() if name not in ("MUJOCO_GL",)}
    for _ in range(2):
        made = subprocess.run(
            ["bash", "-c", f'eval "$({ROOT}/hrl env)"; env'],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0 and "looking for off-screen OpenGL" not in made.stderr
        environment = dict(line.split("=", 1) for line in made.stdout.splitlines() if "=" in line)
    assert environment["MUJOCO_GL"]
