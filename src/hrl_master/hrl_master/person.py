"""When an order goes to a person, whatever the policy would do."""

from hrl_master.config import MasterConfig
from hrl_master.orders import OrderState
from hrl_master.scene import Scene


def needs_a_person(state: OrderState, scene: Scene, config: MasterConfig, bins: int) -> str:
    """Why the policy is not asked any more; empty: it is. `bins`: how many the site has."""
    if state.doubt:
        return state.doubt
    limit = max(config.max_decisions, config.decisions_per_bin * bins)
    if len(state.attempts) >= limit:
        return f"{len(state.attempts)} decisions, limit {limit}"
    if not state.attempts and scene.holding:
        return "the gripper already holds something that this order did not fetch"
    if state.restarted and state.item_held and not scene.holding:
        return (
            f"the gripper held {state.order.item} before the master was started again and "
            "is empty now: it may have been delivered"
        )
    return state.struck_out(config.strikes)
