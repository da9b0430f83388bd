"""Which class a User-Agent belongs to: COUNTER's list of robots and the list of known crawlers."""

from functools import lru_cache
from importlib.metadata import version

import counter_robots
import crawleruseragents

from labhub.usage.models import AgentClass

NOT_PEOPLE = frozenset({AgentClass.ROBOT, AgentClass.SCRIPT, AgentClass.NONE})
"""Classes that COUNTER leaves out of regular access."""


@lru_cache
def robot_list() -> str:
    """Return the names and versions of the lists."""
    return ", ".join(f"{name} {version(name)}" for name in ("counter-robots", "crawler-user-agents"))


@lru_cache(maxsize=4096)
def agent_class(agent: str) -> AgentClass:
    """Return the class of a User-Agent header; an empty one is a class of its own.

    A script (``curl/``, ``python``, ``Wget``: COUNTER's machines) and every listed robot are
    no people; an agent that says nothing of a browser is ``unknown`` and counts.

    >>> agent_class("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0").value
    'browser'
    >>> agent_class("Mozilla/5.0 (compatible; Googlebot/2.1)").value, agent_class("curl/8.14.1").value
    ('robot', 'script')
    """
    if len(agent) < 2:  # COUNTER: ^.?$
        return AgentClass.NONE
    if counter_robots.is_machine(agent):
        return AgentClass.SCRIPT
    if counter_robots.is_robot(agent) or crawleruseragents.is_crawler(agent):
        return AgentClass.ROBOT
    return AgentClass.BROWSER if agent.startswith(("Mozilla/", "Opera/")) else AgentClass.UNKNOWN
