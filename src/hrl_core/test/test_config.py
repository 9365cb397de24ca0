import pytest

from hrl_core.config import Config, ConfigError, find_config, load_yaml
from hrl_core.site import load_site


class Some(Config):
    gain: float = 1.0
    pair: tuple[float, float] = (0.0, 1.0)
    flag: bool | float = False
    name: str = ""


def load(tmp_path, text):
    path = tmp_path / "some.yaml"
    path.write_text(text)
    return load_yaml(path, Some)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "gain: 1\nname: a\ngain: 2",
            "some.yaml:3: the key 'gain' is given twice, first in line 1",
        ),
        ("gain: true", "gain = True: true and false are not numbers"),
        ("pair: [0, false]", "pair = .*true and false are not numbers"),
        ("name: !!int x", "a value is not of the type that it claims"),
        ("gain: 0x_", "a value is not of the type that it claims"),
        ("gain: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("name: &a [*a]", "nested too deeply"),
        ("gain: 2026-01-02", "gain = '2026-01-02': .*valid number"),
        ("gain: .nan", "gain = nan: .*finite"),
        ("name: \x00", "unacceptable character"),
        ("--- {}\n--- {}", "single document"),
    ],
)
def test_a_broken_file_is_refused_in_a_sentence(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


def test_a_boolean_is_taken_where_it_is_allowed(tmp_path):
    assert load(tmp_path, "flag: true").flag is True


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.056, 0.060", "56, 0.060", "size.0 = 56: allowed are 0.01 to 1 m"),
        ("0.056, 0.060", "0, 0.060", "size.0 = 0: allowed are 0.01 to 1 m"),
        ("-1.5708], width", "-90], width", "pose.2 = -90: allowed are -6.3 to 6.3 rad"),
        ("[9.0, 7.0]", "[1.0e+9, 7.0]", "size.0 = 1000000000.0: allowed are 1 to 200 m"),
        ("[0.02, 3.5, 0.8], yaw: 0.0", "[0.02, 3.5, 0.8], yaw: 3.14", "landmark 60 faces"),
        ("[0.02, 3.5, 0.8]", "[-3.0, 3.5, 0.8]", "landmark 60 lies out of the site"),
    ],
)
def test_lengths_and_angles_have_ranges_with_their_unit(tmp_path, old, new, message):
    text = find_config("worlds", "small_warehouse").read_text()
    assert old in text
    path = tmp_path / "site.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        load_site(path)
