"""Geometry, configuration errors, robot and site files."""

import numpy as np
import pytest
import yaml

from hrl_core.config import ConfigError, config_dir, find_config
from hrl_core.geometry import (
    compose,
    inverse,
    invert,
    planar_from_transform,
    quaternion_from_rotation,
    rotation_from_quaternion,
    rotation_from_rpy,
    transform_from,
    transform_from_planar,
    wrap_angle,
)
from hrl_core.robot import load_robot
from hrl_core.site import FACE_FROM_MARKER, MARKER_DROP, TOP_FROM_MARKER, load_site


def test_composition_agrees_with_matrices_and_inverts():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-3, 3, (2, 3))
    product = transform_from_planar(a) @ transform_from_planar(b)
    np.testing.assert_allclose(compose(a, b), planar_from_transform(product), atol=1e-12)
    np.testing.assert_allclose(compose(a, invert(a)), 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_quaternions_and_rotations_are_inverse_to_each_other(seed):
    rng = np.random.default_rng(seed)
    rotation = rotation_from_rpy(*rng.uniform(-np.pi, np.pi, 3))
    back = rotation_from_quaternion(quaternion_from_rotation(rotation))
    np.testing.assert_allclose(back, rotation, atol=1e-12)
    transform = transform_from(rng.normal(size=3), rotation)
    np.testing.assert_allclose(transform @ inverse(transform), np.eye(4), atol=1e-12)


def test_angles_wrap_to_the_half_open_interval():
    np.testing.assert_allclose(
        wrap_angle(np.array([np.pi, 3 * np.pi / 2, -4.0])), [-np.pi, -np.pi / 2, 2 * np.pi - 4]
    )


def test_marker_frames_are_right_handed():
    for rotation in (FACE_FROM_MARKER, TOP_FROM_MARKER):
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_a_standoff_pose_faces_its_bin_from_the_front():
    site = load_site("small_warehouse")
    pose = site.pose_in_front("A2", 0.75)
    face_in_base = inverse(transform_from_planar(pose)) @ site.face("A2")
    board = site.shelf_of("A2").board_height
    np.testing.assert_allclose(face_in_base[:3, 3], [0.75, 0, board - MARKER_DROP], atol=1e-4)
    np.testing.assert_allclose(face_in_base[:3, 0], [-1, 0, 0], atol=1e-4)


def test_bins_are_named_from_left_to_right_as_seen_from_the_front():
    site = load_site("small_warehouse")
    base_from_map = inverse(transform_from_planar(site.pose_in_front("A2", 0.75)))
    left, right = (base_from_map @ site.face(name) for name in ("A1", "A3"))
    assert left[1, 3] > 0 > right[1, 3]


def edited_world(tmp_path, edit):
    data = yaml.safe_load(find_config("worlds", "small_warehouse").read_text())
    edit(data["site"])
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s.update(sise=3), r"bad.yaml:\d+: site.sise = 3: Extra inputs"),
        (
            lambda s: s["shelves"][1].update(board_height=3),
            "shelves.1.board_height = 3: allowed are 0.2 to 1 m",
        ),
        (lambda s: s["shelves"][0].update(board_height="tall"), r"board_height = 'tall': .*number"),
        (lambda s: s["shelves"][0].update(width=float("nan")), "site.shelves.0.width = nan"),
        (lambda s: s["shelves"][0].update(dividers=[1.0]), "divider at 1.0: allowed are -0.9 to"),
        (lambda s: s["stations"][0].update(marker=10), "'packing' is already that of 'A1'"),
        (lambda s: s["stations"][0].update(marker=900), "AprilTag 36h11 has 0 to 586"),
        (lambda s: s["shelves"][0].update(pose=[99, 0, 0]), "lies outside the site"),
        (lambda s: s["waypoints"]["dock"].update(neighbours=["moon"]), "names 'moon'; known"),
        (lambda s: s.update(staging=0.7), "standoff 0.75 m: allowed is less than staging, 0.7 m"),
        (lambda s: s.update(target_setback=0.6), "'packing' is 0.6 m deep; allowed is more than"),
        (lambda s: s["shelves"][1].update(name="A"), "shelf and station needs a name of its own"),
        (
            lambda s: s["shelves"][1].update(pose=[2.3, 6.4, -1.5708]),
            r"bad.yaml:\d+: site.shelves.1.pose = .* stands inside \['A'\]",
        ),
        (
            lambda s: s["shelves"][2].update(pose=[3.8, 5.0, 1.5708]),
            r"shelves.2.pose = .* in front of \['C1', .* cannot be reached on ways 1.3 m wide",
        ),
    ],
)
def test_a_wrong_site_is_refused_with_file_key_value_and_what_is_allowed(tmp_path, edit, message):
    with pytest.raises(ConfigError, match=message):
        load_site(edited_world(tmp_path, edit))


def test_the_width_of_the_ways_is_the_robots(tmp_path):
    site = edited_world(tmp_path, lambda s: s["shelves"][2].update(pose=[3.8, 4.2, 1.5708]))
    assert load_site(site, load_robot().base.turning_circle).name == "small_warehouse"
    with pytest.raises(ConfigError, match="cannot be reached on ways 2.5 m wide"):
        load_site(site, 2.5)


def test_files_that_are_missing_or_broken_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="unknown world 'nowhere'; known: .*small_warehouse"):
        load_site("nowhere")
    with pytest.raises(ConfigError, match="no such file"):
        load_site(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("site: [1, 2")
    with pytest.raises(ConfigError, match="broken.yaml"):
        load_site(broken)


def test_a_wrong_robot_is_refused(tmp_path):
    data = yaml.safe_load((config_dir() / "robots" / "spot.yaml").read_text())
    data["arm"]["poses"]["stow"] = [0.0]
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match="stow has 1 values; 6 joints are named"):
        load_robot(path)
