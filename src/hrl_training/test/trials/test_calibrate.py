"""Chances of success: known probabilities are found again, and wrong files are refused."""

import json

import numpy as np
import pytest
import yaml

from hrl_core.config import ConfigError
from hrl_skills.success_model import FILE, load_success_model
from hrl_training.trials import calibrate
from hrl_training.trials.statistics import expected_calibration_error

NOISE = 12  # conditions that mean nothing


def true_chances(values: np.ndarray) -> np.ndarray:
    """Harder the further off and the heavier; a middling size is the easiest."""
    off, mass, size = values[:, 0], values[:, 1], values[:, 2]
    logit = 4.0 - 30.0 * off - 1.5 * (mass - 0.1) - 4.0 * ((size - 0.03) / 0.01) ** 2 * 0.5
    return 1.0 / (1.0 + np.exp(-logit))


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values (n, k), chances (n,) and successes (n,) of trials."""
    meant = np.column_stack(
        [rng.uniform(0, 0.08, count), rng.uniform(0.1, 1.5, count), rng.uniform(0.02, 0.04, count)]
    )
    values = np.hstack([meant, rng.normal(size=(count, NOISE)), np.full((count, 1), 0.7)])
    chances = true_chances(meant)
    return values, chances, rng.random(count) < chances


def write_rows(path, values, successes, **summary) -> None:
    """What `./hrl evaluate grasp --json` writes, as far as it matters here."""
    rows = [
        {
            "seed": seed,
            "label": "ok" if success else "dropped",
            "success": bool(success),
            "conditions": {f"c{k}": float(v) for k, v in enumerate(row)},
        }
        for seed, (row, success) in enumerate(zip(values, successes, strict=True))
    ]
    head = {"skill": "grasp", "label": "learned", "vision": True, "weights_sha256": "ab" * 32}
    path.write_text(json.dumps({"summary": {**head, **summary}, "rows": rows}))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A model fitted by the command to 1500 trials, and its folder."""
    folder = tmp_path_factory.mktemp("chances")
    values, _, successes = draw(np.random.default_rng(1), 1500)
    for k, part in enumerate(np.split(np.arange(1500), 2)):
        write_rows(folder / f"rows{k}.json", values[part], successes[part])
    files = [str(folder / f"rows{k}.json") for k in range(2)]
    assert calibrate.main(["grasp", "--rows", *files, "--out", str(folder / FILE)]) == 0
    return load_success_model("grasp", "spot", folder), folder


def test_known_chances_are_found_again_on_fresh_trials(fitted):
    chances, _ = fitted
    values, expected, successes = draw(np.random.default_rng(2), 2000)
    given = np.array(
        [chances.probability({f"c{k}": v for k, v in enumerate(row)}) for row in values]
    )
    assert np.abs(given - expected).mean() < 0.09
    assert np.corrcoef(given, expected)[0, 1] > 0.85
    assert expected_calibration_error(given, successes) < 0.05


def test_the_file_says_what_it_was_fitted_to_and_how_well(fitted):
    chances, folder = fitted
    assert chances.trials == 1500 and 750 < chances.successes < 1500
    assert [file.name for file in chances.rows] == ["rows0.json", "rows1.json"]
    assert chances.calibration_error < 0.08 and chances.brier_score < 0.2
    again = calibrate.calibrate("grasp", [folder / "rows0.json", folder / "rows1.json"])
    assert again == chances


def test_a_skill_that_hardly_ever_fails_gets_its_rate_and_nothing_wilder():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(500, 20))
    successes = np.ones(500, bool)
    successes[:4] = False
    model, quality = calibrate.choose(values, successes)
    fresh = model.probabilities(rng.normal(size=(1000, 20)))
    assert quality.calibration_error < 0.02
    assert fresh.min() > 0.9 and abs(fresh.mean() - 0.99) < 0.01


def test_trials_without_any_failure_can_be_fitted():
    values = np.random.default_rng(4).normal(size=(200, 5))
    model, _ = calibrate.choose(values, np.ones(200, bool))
    assert 0.98 < model.probabilities(values).min() < 1.0


def test_beyond_the_trials_a_condition_counts_as_at_their_edge(fitted):
    chances, _ = fitted
    middle = {c.name: c.mean for c in chances.conditions}
    edge = chances.probability({**middle, "c0": 0.08})
    assert edge < chances.probability({**middle, "c0": 0.0})
    assert chances.probability({**middle, "c0": 50.0}) == pytest.approx(edge, abs=1e-2)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"skill": "place"}, "summary.skill is 'place', not 'grasp'"),
        ({"label": "script"}, "summary.label is 'script', not 'learned'"),
        ({"vision": False}, "summary.vision is False, not True"),
    ],
)
def test_rows_of_something_else_are_refused(change, message, tmp_path):
    values, _, successes = draw(np.random.default_rng(5), 60)
    write_rows(tmp_path / "rows.json", values, successes, **change)
    with pytest.raises(ConfigError, match=message):
        calibrate.calibrate("grasp", [tmp_path / "rows.json"])


def test_rows_that_cannot_be_used_are_refused_with_the_seed(tmp_path):
    values, _, successes = draw(np.random.default_rng(6), 60)
    path = tmp_path / "rows.json"
    write_rows(path, values, successes)
    good = json.loads(path.read_text())
    for key, value, message in (
        ("conditions", {"c0": 1.0}, r"row of seed 7: conditions \['c0'\]; others have"),
        ("conditions", {**good["rows"][0]["conditions"], "c1": None}, "need finite numbers"),
        ("success", None, "success = None: true or false"),
    ):
        rows = [{**row, key: value} if row["seed"] == 7 else row for row in good["rows"]]
        path.write_text(json.dumps({**good, "rows": rows}))
        with pytest.raises(ConfigError, match=message):
            calibrate.calibrate("grasp", [path])
    path.write_text(json.dumps({**good, "rows": good["rows"][:20]}))
    with pytest.raises(ConfigError, match="20 trials of grasp .* 50 or more"):
        calibrate.calibrate("grasp", [path])
    path.write_text(json.dumps({**good, "rows": [{**r, "conditions": {}} for r in good["rows"]]}))
    with pytest.raises(ConfigError, match="no row has conditions; measure anew"):
        calibrate.calibrate("grasp", [path])
    path.write_text("[1, 2")
    with pytest.raises(ConfigError, match=r"rows.json"):
        calibrate.calibrate("grasp", [path])


def test_goals_that_were_refused_are_left_out(tmp_path):
    values, _, successes = draw(np.random.default_rng(7), 60)
    write_rows(tmp_path / "rows.json", values, successes)
    content = json.loads((tmp_path / "rows.json").read_text())
    content["rows"][3] |= {"label": "refused", "success": False, "conditions": {}}
    (tmp_path / "rows.json").write_text(json.dumps(content))
    assert calibrate.calibrate("grasp", [tmp_path / "rows.json"]).trials == 59


def test_a_wrong_file_of_chances_is_refused_with_key_and_value(fitted, tmp_path):
    _, folder = fitted
    good = yaml.safe_load((folder / FILE).read_text())
    first = good["conditions"][0]
    for change, message in (
        ({"skill": "place"}, "skill is 'place'; allowed here is 'grasp'"),
        ({"format": 2}, "format = 2"),
        ({"colour": 1}, "colour = 1"),
        ({"successes": 1501}, "1501 successes in 1500 trials"),
        ({"bias": float("nan")}, "bias = nan"),
        ({"conditions": [{**first, "sd": 0.0}]}, r"conditions.0.sd = 0.0"),
        ({"conditions": [first, first]}, "a name is there twice"),
        ({"conditions": [{**first, "low": 9.0, "high": 1.0}]}, "must not be above high"),
    ):
        (tmp_path / FILE).write_text(yaml.safe_dump({**good, **change}))
        with pytest.raises(ConfigError, match=message):
            load_success_model("grasp", "spot", tmp_path)
    assert load_success_model("grasp", "spot", tmp_path / "nowhere") is None


def test_a_missing_condition_is_named(fitted):
    chances, _ = fitted
    with pytest.raises(ConfigError, match=r"no \['c3'\]"):
        chances.probability({c.name: 0.0 for c in chances.conditions if c.name != "c3"})
