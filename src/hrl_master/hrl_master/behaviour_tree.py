"""The baseline by hand: a behaviour tree (py_trees) with retries, searches and recoveries."""

from collections.abc import Sequence

from py_trees.behaviour import Behaviour

from hrl_master.candidate import Candidate
from hrl_master.candidates import Options
from hrl_master.choice import Choice
from hrl_master.config import MasterConfig
from hrl_master.situation import Situation
from hrl_master.tree import actions as do
from hrl_master.tree import conditions as ask
from hrl_master.tree.context import Context
from hrl_master.tree.leaves import Blackboard, first, when

CAMERA_WAITS = 6  # in front of a face, for a camera that sees nothing at all
LOST_WAITS = 8  # in a row, before a station, for an item to come into sight that was put down there
LAST_WAITS = 3  # in a row, where nothing else may run


class BehaviourTree:
    """Fetch, carry, place; the tree is ticked once per decision and remembers nothing itself.

    A failure is met by leaving the face and coming anew, by another way, by waiting where somebody
    or an outage may pass, by looking in other bins, and by handing over when nothing is left.
    """

    def __init__(self, options: Options, config: MasterConfig):
        self._options, self._config = options, config
        self._board = Blackboard()
        self.root = build(self._board)

    def decide(self, situation: Situation, candidates: Sequence[Candidate]) -> Choice:
        """The next candidate; its reason names the branch of the tree."""
        return self._tick(Context(self._options, self._config, situation, candidates))

    def _tick(self, context: Context) -> Choice:
        self._board.begin(context)
        self.root.tick_once()
        assert self._board.choice is not None, "the tree's last branch always chooses"
        return self._board.choice


def build(board: Blackboard) -> Behaviour:
    """The tree, most urgent first: an action's reason is often what a condition before it found."""
    done = ask.Delivered(board)
    hopeless = first(
        "needs a person?",
        ask.HasFallen(board),
        ask.LiesOnFloor(board),
        ask.StandsAskew(board),
        ask.SoughtInVain(board),
        ask.InNoBin(board),
        ask.StationGivenUp(board),
        ask.PlacedInVain(board),
        ask.BlindForLong(board),
        ask.CutOffForLong(board),
    )
    blind, disoriented, lost = ask.Blind(board), ask.Disoriented(board), ask.ItemLost(board)
    there, no_picture = ask.AtStandoff(board), ask.CameraOut(board)
    close, searches = ask.MustLeave(board), ask.Searches(board)
    cut_off, stopped, far = ask.CutOff(board), ask.WalkFailed(board), ask.TooFar(board)
    look_for_it = first(
        "look for it",
        do.BackOut(board, lost),
        do.WalkToLoss(board, lost),
        do.WaitAtStation(board, lost, LOST_WAITS),
        do.LookAround(board, lost),
        do.Wait(board, lost, LAST_WAITS),
    )
    manipulate = first(
        "manipulate",
        when(no_picture, do.Wait(board, no_picture, CAMERA_WAITS)),
        do.Align(board, there),
        do.Place(board, there),
        do.Grasp(board, there),
    )
    another_way = first(
        "another way",
        when(
            ask.HasDetour(board),
            first("round it", do.AlongGraph(board), do.ByWaypoint(board, stopped)),
        ),
        do.WaitOnce(board, stopped, ask.BLOCKED_WAITS),
        when(ask.FailedTwice(board), do.ByWaypoint(board, stopped)),
    )
    return first(
        "order",
        when(done, do.Finish(board, done)),
        when(hopeless, do.HandOver(board, hopeless)),
        when(
            blind,
            first(
                "wait for it",
                when(disoriented, do.LookAround(board, disoriented)),
                do.Wait(board, blind, ask.BLIND_WAITS),
            ),
        ),
        when(lost, look_for_it),
        when(there, manipulate),
        when(close, do.BackOut(board, close)),
        when(searches, do.LookWhereMostIsSeen(board, searches)),
        when(ask.Near(board), do.Approach(board)),
        when(cut_off, do.Wait(board, cut_off, ask.BLOCKED_WAITS)),
        when(stopped, another_way),
        when(ask.HasDetour(board), do.AlongGraph(board)),
        do.WalkUp(board),
        do.Walk(board),
        when(far, do.Towards(board, far)),
        do.Approach(board, name="approach all the same"),
        do.Wait(board, "nothing else may run now", LAST_WAITS),
        do.GiveUp(board),
    )
