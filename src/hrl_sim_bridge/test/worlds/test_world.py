from itertools import pairwise

import numpy as np
import pytest
import yaml

from hrl_core.config import ConfigError, find_config
from hrl_core.floor.clearance import clearance
from hrl_core.floor.rectangles import Rectangle
from hrl_core.floor.routes import passable
from hrl_core.site import PASSAGE
from hrl_sim_bridge.trials.draws import OBSTACLE_TO_STAGING, draw_trial
from hrl_sim_bridge.worlds.loading import load_world

WORLDS = ("small_warehouse", "open_bay", "two_aisles")


def obstacles_of(trial) -> list[Rectangle]:
    return [Rectangle("", box.pose, box.size[:2]) for box in trial.obstacles]


@pytest.mark.parametrize("name", WORLDS)
def test_the_same_seed_gives_the_same_trial(name):
    world = load_world(name)
    assert repr(draw_trial(world, 7)) == repr(draw_trial(load_world(name), 7))
    assert repr(draw_trial(world, 7)) != repr(draw_trial(world, 8))


@pytest.mark.parametrize("name", WORLDS)
def test_every_trial_orders_something_that_is_in_stock_and_stands_in_its_bin(name):
    world = load_world(name)
    site = world.site
    for seed in range(40):
        trial = draw_trial(world, seed)
        placed = trial.item(trial.order.item)
        assert placed.bin == trial.order.from_bin
        assert trial.order.to_station in [station.name for station in site.stations]
        assert len({p.name for p in trial.stock}) == len({p.bin for p in trial.stock})
        for item in trial.stock:
            shelf = site.shelf_of(item.bin)
            bin_from_item = np.linalg.inv(site.faces[item.bin]) @ item.map_from_item
            bin_width = shelf.width / len(shelf.bins)
            assert -0.16 <= bin_from_item[0, 3] <= -0.07
            assert abs(bin_from_item[1, 3]) <= bin_width / 6 + 1e-9
            bottom = item.map_from_item[2, 3] - site.items[item.name].size[2] / 2
            assert 0 < bottom - shelf.board_height < 0.002
            # The label looks out of the shelf.
            assert bin_from_item[0, 0] > np.cos(0.27)


@pytest.mark.parametrize("name", ["small_warehouse", "two_aisles"])
def test_obstacles_leave_a_way_to_every_shelf_and_station(name):
    world = load_world(name)
    staging = world.site.staging_places()
    counts = set()
    for seed in range(30):
        trial = draw_trial(world, seed)
        boxes = obstacles_of(trial)
        counts.add(len(boxes))
        for box in boxes:
            assert box.distance(staging).min() >= OBSTACLE_TO_STAGING
        places = np.concatenate([trial.start[None, :2], staging])
        assert passable(world.site, boxes, places, PASSAGE).all()
    assert {0, 1, 2} <= counts


def test_the_aisles_of_the_shipped_worlds_are_two_metres_wide():
    for name in WORLDS:
        world = load_world(name)
        staging = world.site.staging_places()
        assert passable(world.site, [], staging, 1.99).all()


def test_people_start_away_from_the_robot(warehouse):
    routes = [warehouse.site.waypoints[n].pose[:2] for n in warehouse.trial.people.routes[0]]
    length = sum(np.hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(routes))
    trials = [draw_trial(warehouse, seed) for seed in range(40)]
    people = [person for trial in trials for person in trial.people]
    assert 5 < len(people) < 30
    assert all(0 <= person.begin < length for person in people)


def test_a_wall_of_boxes_closes_a_site(open_bay):
    wall = Rectangle("wall", np.array([2.5, 2.25, 0.0]), np.array([0.3, 4.4]))
    places = np.array([[1.0, 1.0], [1.0, 3.0], [4.0, 1.0]])
    assert passable(open_bay.site, [wall], places, PASSAGE).tolist() == [True, True, False]
    assert clearance(open_bay.site, [wall], np.array([2.0, 1.0])) == pytest.approx(0.35)


def edited(tmp_path, edit) -> str:
    """A copy of small_warehouse with one change."""
    data = yaml.safe_load(find_config("worlds", "small_warehouse").read_text())
    edit(data)
    path = tmp_path / "world.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return str(path)


BAD_WORLDS = {
    "unknown key": (lambda d: d["trial"].update(obstacle={}), r"world.yaml:\d+: trial.obstacle"),
    "unknown item": (
        lambda d: d["trial"]["stock"].update(items=["can", "teapot"]),
        r"world.yaml:\d+: trial.stock.items.1 = 'teapot': unknown; known: \['box_small'",
    ),
    "unknown bin": (
        lambda d: d["trial"]["stock"].update(bins=["Z9"]),
        r"trial.stock.bins.0 = 'Z9': unknown; known: \['A1'",
    ),
    "unknown station": (
        lambda d: d["trial"].update(orders={"stations": ["moon"]}),
        r"trial.orders.stations.0 = 'moon': unknown",
    ),
    "unknown waypoint": (
        lambda d: d["trial"]["start"].update(waypoint="harbour"),
        r"world.yaml:\d+: trial.start.waypoint = 'harbour': unknown; known: \['aisle_east'",
    ),
    "start too near a wall": (
        lambda d: d["site"]["waypoints"]["dock"].update(pose=[0.6, 1.6, 0.0]),
        r"trial.start.waypoint = 'dock': with its jitter -?0.\d+ m from a shelf",
    ),
    "waypoint inside a shelf": (
        lambda d: d["site"]["waypoints"]["dock"].update(pose=[2.1, 6.6, 0.0]),
        r"site.waypoints.dock.pose = .*: 0.00 m from a shelf, station or wall; allowed is 0.5 m",
    ),
    "more items than kinds": (
        lambda d: d["trial"]["stock"].update(count=[3, 6]),
        r"trial.stock.count = .*there are kinds of items and bins for 5 only",
    ),
    "range upside down": (
        lambda d: d["trial"]["stock"].update(friction=[1.0, 0.6]),
        r"trial.stock.friction = .*the first of \[1.0, 0.6\] must not be above the second",
    ),
    "not a number": (
        lambda d: d["noise"]["scan"].update(sd="15 mm"),
        r"noise.scan.sd = '15 mm': Input should be a valid number",
    ),
    "shelf in a station": (
        lambda d: d["site"]["shelves"][2].update(pose=[5.8, 0.6, 1.5708]),
        r"site.shelves.2.pose = .*stands inside \['shipping'\]",
    ),
    "closed aisle": (
        lambda d: d["site"]["shelves"][2].update(pose=[3.8, 5.0, 1.5708]),
        r"cannot be reached on ways 1.3 m wide",
    ),
    "items off the board": (
        lambda d: d["trial"]["stock"].update(setback=[0.1, 0.6]),
        r"trial.stock.setback = .*off the board of shelf 'A'; allowed is up to 0.40 m",
    ),
    "route through a shelf": (
        lambda d: d["trial"]["people"].update(routes=[["south", "aisle_middle"]]),
        r"trial.people.routes.0 = .*0.00 m from a shelf",
    ),
    "fault without target": (
        lambda d: d.update(faults=[{"kind": "camera_outage", "target": "eye"}]),
        r"faults.0.target = 'eye': unknown target of camera_outage; allowed: \['camera'",
    ),
    "unknown fault": (
        lambda d: d.update(faults=[{"kind": "earthquake"}]),
        r"faults.0.kind = 'earthquake': Input should be 'blocked_aisle'",
    ),
}


@pytest.mark.parametrize("name", BAD_WORLDS)
def test_a_bad_world_is_refused_with_place_value_and_what_is_allowed(tmp_path, name):
    edit, message = BAD_WORLDS[name]
    with pytest.raises(ConfigError, match=message):
        load_world(edited(tmp_path, edit))


def test_all_errors_of_a_file_come_at_once(tmp_path):
    def edit(data):
        data["trial"]["stock"].update(items=["teapot"], bins=["Z9"])

    with pytest.raises(ConfigError) as error:
        load_world(edited(tmp_path, edit))
    assert len(str(error.value).splitlines()) == 2


def test_a_negative_seed_is_refused(open_bay):
    with pytest.raises(ConfigError, match="seed = -1"):
        draw_trial(open_bay, -1)


def test_dividers_stand_on_the_board(make_plant, open_bay):
    shelf = open_bay.site.shelves[0].model_copy(update={"dividers": (-0.3, 0.1), "depth": 0.5})
    site = open_bay.site.model_copy(update={"shelves": (shelf,)})
    plant = make_plant(open_bay.model_copy(update={"site": site}))
    for k, y in enumerate(shelf.dividers):
        geom = plant.data.geom(f"shelf/A/divider_{k}")
        assert geom.xpos[2] == pytest.approx(shelf.board_height + 0.5 * shelf.divider_height)
        # The shelf looks along -y of map.
        assert geom.xpos[0] - shelf.pose[0] == pytest.approx(y, abs=1e-5)
