from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from hrl_core.config import ConfigError
from hrl_core.floor.rectangles import solids
from hrl_core.floor.routes import passable
from hrl_sim_bridge.picture import draw_world
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_sim_bridge.worlds.layouts import FAMILIES, generate, write_layout
from hrl_sim_bridge.worlds.loading import load_world

SEEDS = (0, 1, 100000)


@pytest.fixture(scope="module")
def layouts():
    return {(family, seed): generate(family, seed) for family in FAMILIES for seed in SEEDS}


def test_a_family_and_a_seed_are_one_layout(layouts):
    assert generate("islands", 1).model_dump() == layouts["islands", 1].model_dump()
    dumps = [repr(world.model_dump()) for world in layouts.values()]
    assert len({*dumps}) == len(dumps)


def test_layouts_are_within_their_ranges(layouts):
    for world in layouts.values():
        site = world.site
        assert 8 <= site.size[0] <= 16 and 6 <= site.size[1] <= 12
        assert 2 <= len(site.shelves) <= 6 and 1 <= len(site.stations) <= 3
        assert 3 <= len(site.items) <= 6
        boards = [place.board_height for place in site.furniture]
        assert min(boards) >= 0.35 and max(boards) <= 0.75


def test_every_bin_and_station_can_be_reached_and_seen(layouts):
    for world in layouts.values():
        site = world.site
        start = np.array(site.waypoints["dock"].pose[:2])
        assert passable(site, [], np.vstack([start, site.staging_places()]), 1.3).all()
        for name in site.targets:
            face = site.faces[name]
            stand = site.pose_in_front(name, site.staging)[:2]
            sight = np.linspace(stand, face[:2, 3] + 0.03 * face[:2, 0], 50)
            assert all(thing.distance(sight).min() > 0 for thing in solids(site))


def test_waypoints_hang_together_by_ways_that_are_free(layouts):
    loops = 0
    for world in layouts.values():
        points = world.site.waypoints
        edges = {frozenset((a, b)) for a in points for b in points[a].neighbours}
        reached, ahead = set(), ["dock"]
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead += points[name].neighbours
        assert reached == {*points}
        loops += len(edges) >= len(points)
        for a, b in edges:
            way = np.linspace(points[a].pose[:2], points[b].pose[:2], 60)
            assert min(thing.distance(way).min() for thing in solids(world.site)) > 0.45
    assert loops >= 0.8 * len(layouts)


def test_a_layout_is_the_same_from_its_file_and_by_its_name(tmp_path, layouts):
    write_layout("perimeter", 1, tmp_path / "hall.yaml")
    expected = layouts["perimeter", 1].model_dump()
    assert load_world(tmp_path / "hall.yaml").model_dump() == expected
    assert load_world("perimeter:1").model_dump() == expected


@pytest.mark.parametrize("family", ["aisles", "perimeter", "islands"])
def test_the_shipped_families_load_and_disturb(family):
    world = load_world(family)
    assert any(draw_trial(world, seed).disturbances for seed in range(10))


def test_unknown_families_and_seeds_are_refused():
    with pytest.raises(ConfigError, match=r"unknown family 'maze'; known: \['aisles'"):
        load_world("maze:3")
    with pytest.raises(ConfigError, match="seed = -1: allowed are whole numbers from 0"):
        generate("aisles", -1)


def test_a_picture_shows_what_blocks_the_way(tmp_path, warehouse):
    nominal = draw_trial(warehouse, 0, "none")
    blocked = replace(nominal, faults=(Fault(FaultKind.BLOCKED_AISLE, "west"),))
    red = []
    for name, trial in {"nominal": nominal, "blocked": blocked}.items():
        draw_world(warehouse, trial, tmp_path / f"{name}.png")
        picture = imread(tmp_path / f"{name}.png")[..., :3]
        red.append(int((np.abs(picture - [0.784, 0.157, 0.118]).max(axis=-1) < 0.02).sum()))
    assert red[1] > red[0] + 1000
