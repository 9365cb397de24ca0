"""What an evaluation leaves behind: plots, the page, videos of failures, figures in the card."""

import re
from types import SimpleNamespace

import imageio.v3 as imageio
import numpy as np
import pytest

from hrl_core.known import known
from hrl_core.policy.card import Figure, load_card, save_card
from hrl_skills.library import policy_folder
from hrl_training.trials import video
from hrl_training.trials.card_figures import put_into_card, with_figures
from hrl_training.trials.page import write_evaluation_page
from hrl_training.trials.plots import draw_plots
from hrl_training.trials.row import Row
from hrl_training.trials.summary import compare, summarise

DIFFICULTY = {"item.mass": 1, "plant.floor_friction": -1}
COMMAND = "./hrl evaluate grasp --trials 60 --seed 0 --policy both"


def row(seed: int, success: bool, chance: float | None = 0.9) -> Row:
    return Row(
        seed=seed,
        success=success,
        label="ok" if success else "not grasped",
        code="X",
        detail="" if success else "slipped <off>",
        claimed=success,
        achieved=success,
        duration=5.0 + seed % 5,
        factors={"item.mass": seed / 60, "plant.floor_friction": 0.8, "item.shape": "box"},
        measures={"force": float(seed), "error": 0.01},
        touched=() if success else ("shelf (12 N)",),
        chance=chance,
    )


@pytest.fixture
def result() -> dict:
    """Of 60 trials the learned policy fails in 6, the script in 20, which are the heavy ones."""
    learned = [row(k, k % 10 != 0) for k in range(60)]
    script = [row(k, k < 40, None) for k in range(60)]
    summary = {
        "skill": "grasp",
        **summarise(learned, DIFFICULTY),
        "tasks": {"file": "grasp.yaml", "sha256": "0" * 64},
        "seed": 0,
        "label": "learned",
        "policy": "both",
        "vision": True,
        "interrupted": False,
        "command": COMMAND,
        "script": summarise(script, DIFFICULTY),
        "comparison": compare(learned, script, DIFFICULTY),
    }
    rows = {"rows": learned, "script_rows": script}
    return {"summary": summary, **{k: [one.as_dict() for one in v] for k, v in rows.items()}}


def test_the_page_shows_plots_tables_failures_and_videos(result, tmp_path):
    plots = draw_plots(result, tmp_path)
    names = ["ranges.png", "labels.png", "reliability.png", "times.png", "measures.png"]
    assert [plot.name for plot in plots] == names
    for plot in plots:
        picture = imageio.imread(plot)
        assert picture.shape[0] > 200 and picture[..., :3].std() > 10
    film = tmp_path / "videos" / "learned_seed_10_not_grasped.mp4"
    write_evaluation_page(tmp_path / "index.html", result, plots, {10: film})
    page = (tmp_path / "index.html").read_text()
    assert re.findall(r'src="data:image/png;base64,[^"]+" alt="(\w+)"', page) == [
        name.removesuffix(".png") for name in names
    ]
    assert 'src="videos/learned_seed_10_not_grasped.mp4"' in page
    assert "grasp: 90.0 % of 60 trials succeeded" in page
    assert "slipped &lt;off&gt;; shelf (12 N)" in page
    assert "high item.mass, low plant.floor_friction" in page


def test_plots_that_have_no_data_are_left_out(result, tmp_path):
    (tmp_path / "reliability.png").touch()  # of an older evaluation
    rows = [row(k, True, None) for k in range(3)]
    summary = {**summarise(rows, {}), "label": "learned"}
    plots = draw_plots({"summary": summary, "rows": [r.as_dict() for r in rows]}, tmp_path)
    assert "reliability.png" not in [plot.name for plot in plots]
    assert not (tmp_path / "reliability.png").exists()


def test_the_card_states_figures_and_the_comparison_with_the_script(result):
    card = with_figures(
        load_card(policy_folder("grasp", "spot") / "card.yaml"), result["summary"], COMMAND
    )
    figures = {figure.metric: figure for figure in card.figures}
    rate = figures["success rate, with cameras"]
    assert card.figures[0] == rate
    assert (rate.value, rate.trials, rate.command, rate.seed) == (0.9, 60, COMMAND, 0)
    assert rate.interval == pytest.approx((0.7985, 0.9534), abs=1e-3)
    hard = "hard half (high item.mass, low plant.floor_friction)"
    difference = figures[f"success rate, learned minus script, {hard}, with cameras"]
    assert difference.value > 0.5 and known(difference.interval)[0] > 0.3
    assert [each.on for each in card.comparisons] == ["all trials", "easy half", hard]
    assert card.comparisons[2].script.value == pytest.approx(1 / 3, abs=1e-3)


def test_figures_measured_the_same_way_are_replaced_and_others_stay(result, tmp_path):
    other = Figure(metric="tick, ms", value=0.1, trials=9, command="./hrl bench policies")
    shipped = load_card(policy_folder("grasp", "spot") / "card.yaml")
    card = shipped.model_copy(update={"figures": (other,), "comparisons": ()})
    save_card(tmp_path, card)
    put_into_card(tmp_path, result["summary"], COMMAND)
    once = load_card(tmp_path / "card.yaml")
    assert other in once.figures
    put_into_card(tmp_path, result["summary"], COMMAND)
    assert load_card(tmp_path / "card.yaml") == once
    with_true_poses = with_figures(once, result["summary"] | {"vision": False}, COMMAND)
    assert set(once.figures) < set(with_true_poses.figures)
    assert once.model_copy(update={"figures": card.figures, "comparisons": ()}) == card


class FilmedTrials:
    """Shows pictures that grow brighter; `row` is what comes out when it is run again."""

    def __init__(self, again: Row) -> None:
        self.again = again

    def run(self, seed, watch=None):
        assert watch is not None
        for k in range(20):
            picture = np.full((480, 640, 3), 10 * k, np.uint8)
            watch(SimpleNamespace(overview=lambda picture=picture: picture))
        return self.again


@pytest.mark.parametrize("same", [True, False])
def test_a_failure_is_filmed_with_its_seed_and_label(same, tmp_path):
    failed = row(10, False)
    trials = FilmedTrials(failed if same else row(10, True))
    filming = video.Filming(lambda: trials, "grasp", "learned", tmp_path)  # type: ignore[arg-type]
    path, as_before = filming.run(failed)
    assert path.name == "learned_seed_10_not_grasped.mp4" and as_before is same
    frames = imageio.imread(path)
    assert frames.shape == (20 + video.LAST, 480 + video.CAPTION, 640, 3)
    assert frames[15, :480].mean() > frames[5, :480].mean() + 50
    assert frames[0, 480:].max() > 150  # something is written under it
