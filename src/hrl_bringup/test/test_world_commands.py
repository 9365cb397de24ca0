from typer.testing import CliRunner

from hrl_bringup.cli import app
from hrl_bringup.listing import world_file
from hrl_core.site import load_site
from hrl_sim_bridge.worlds.layouts import generate


def hrl(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["world", *arguments])
    return result.exit_code, result.output


def test_a_generated_world_can_be_shown_and_drawn(tmp_path):
    file, picture = tmp_path / "hall.yaml", tmp_path / "hall.png"
    assert hrl("generate", "perimeter", str(file), "--seed", "2")[0] == 0
    code, text = hrl("show", str(file), "--seed", "5", "--disturb", "one", "--out", str(picture))
    assert code == 0
    assert "perimeter_2" in text and "disturbance: " in text and "be solved: " in text
    assert picture.stat().st_size > 10_000


def test_a_world_is_not_written_over(tmp_path):
    file = tmp_path / "hall.yaml"
    file.write_text("mine")
    assert hrl("generate", "perimeter", str(file))[0] == 2
    assert file.read_text() == "mine"
    assert hrl("show", "open_bay", "--out", str(tmp_path / "hall.bmp"))[0] == 2


def test_a_layout_by_name_is_a_file_that_nodes_can_load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    site = load_site(world_file("islands:3"))
    assert site.model_dump() == generate("islands", 3).site.model_dump()


def test_a_hall_of_a_size_is_the_same_by_options_and_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hrl("generate", "mixed", "hall.yaml", "--seed", "3", "--size", "12x9")[0] == 0
    assert load_site("hall.yaml").model_dump() == load_site(world_file("mixed@12x9:3")).model_dump()
    code, _ = hrl("generate", "mixed", "other.yaml", "--shelves", "5")
    assert code == 2
