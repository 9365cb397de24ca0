"""The picture of the behaviour tree, as boxes and lines."""

from itertools import combinations

import py_trees
from py_trees.behaviours import Failure, Success

from hrl_bringup.reports.tree_picture import HEIGHT, WIDTH, lay_out
from hrl_master.behaviour_tree import build
from hrl_master.tree.leaves import Blackboard, first, when


def boxes_of(root):
    return {box.node.name: box for box in lay_out(root, 0.0, 0.0, WIDTH).boxes}


def test_no_two_boxes_of_the_tree_cover_each_other():
    block = lay_out(build(Blackboard()), 0.0, 0.0, WIDTH)
    for a, b in combinations(block.boxes, 2):
        beside = a.x + a.width <= b.x or b.x + b.width <= a.x
        above = a.y + a.height <= b.y or b.y + b.height <= a.y
        assert beside or above, (a.node.name, b.node.name)
    assert max(box.x + box.width for box in block.boxes) <= block.right + 1e-9
    assert max(box.y + box.height for box in block.boxes) <= block.bottom + 1e-9


def test_sequences_run_to_the_right_and_selectors_down():
    boxes = boxes_of(first("root", when(Failure("a?"), Success("b")), Success("c")))
    assert boxes["a?"].y == boxes["b"].y and boxes["a?"].x < boxes["b"].x
    assert boxes["root"].y < boxes["a?"].y < boxes["c"].y
    assert "a" not in boxes  # a sequence is its row


def test_a_box_tells_what_was_found_only_where_it_was_asked():
    root = first("root", Failure("a"), Success("b"), Success("c"))
    for node in root.children:
        node.feedback_message = "a long story " * 40
    root.tick_once()
    assert root.children[2].status is py_trees.common.Status.INVALID
    for node in root.children:
        node.feedback_message = "a long story " * 40
    boxes = boxes_of(root)
    assert len(boxes["a"].lines) == 4 and boxes["a"].lines[-1].endswith("...")
    assert boxes["c"].lines == () and boxes["c"].height == HEIGHT
