"""When an order goes to a person, whatever the policy would do."""

from hrl_master.config import MasterConfig
from hrl_master.orders import OrderState
from hrl_master.scene import Scene


def needs_a_person(state: OrderState, scene: Scene, config: MasterConfig) -> str:
    """Why the policy is not asked any more; empty: it is."""
    if state.doubt:
        return state.doubt
    if len(state.attempts) >= config.max_decisions:
        return f"{len(state.attempts)} decisions, limit {config.max_decisions}"
    if not state.attempts and scene.holding:
        return "the gripper already holds something that this order did not fetch"
    if state.restarted and state.item_held and not scene.holding:
        return (
            f"the gripper held {state.order.item} before the master was started again and "
            "is empty now: it may have been delivered"
        )
    return state.struck_out(config.strikes)
