"""The memory of a site from a ledger, for a policy that uses one."""

from __future__ import annotations

from hrl_core.site import Site
from hrl_master.config import MasterConfig
from hrl_master.ledger import Ledger
from hrl_master.memory.site_memory import SiteMemory

PLANNER = "planner"  # the policy that reads it


def remembered(ledger: Ledger | None, site: Site, config: MasterConfig) -> SiteMemory | None:
    """What the ledger's orders have shown of a site; None: nobody asks, or there is no ledger.

    Only the planner is told: what is remembered adds candidates, and other policies stay as they
    were learned and measured.
    """
    if ledger is None or config.policy != PLANNER:
        return None
    return SiteMemory(site.bins, ledger.searches(site.name))
