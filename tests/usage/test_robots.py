"""Classes of User-Agent headers."""

import pytest

from labhub.usage.models import AgentClass
from labhub.usage.robots import NOT_PEOPLE, agent_class, robot_list

CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0"
PEOPLE = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/142.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Safari/605.1.15",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {SAFARI} Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36",
    "Opera/9.80 (Windows NT 6.1) Presto/2.12.388 Version/12.18",
]
SCRIPTS = ["curl/8.14.1", "Wget/1.25.0", "python-requests/2.32.5", "Python-urllib/3.13", "PHP/8.3"]
ROBOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    f"Mozilla/5.0 (X11; Linux x86_64) {CHROME.replace('Chrome', 'HeadlessChrome')} Safari/537.36",
]


@pytest.mark.parametrize("agent", PEOPLE)
def test_browsers_are_browsers(agent: str) -> None:
    assert agent_class(agent) is AgentClass.BROWSER


@pytest.mark.parametrize("agent", SCRIPTS)
def test_scripts_are_scripts(agent: str) -> None:
    assert agent_class(agent) is AgentClass.SCRIPT


@pytest.mark.parametrize("agent", ROBOTS)
def test_robots_are_robots(agent: str) -> None:
    assert agent_class(agent) is AgentClass.ROBOT


@pytest.mark.parametrize("agent", ["", "x"])
def test_no_agent_is_a_class_of_its_own_and_no_person(agent: str) -> None:
    assert agent_class(agent) is AgentClass.NONE
    assert AgentClass.NONE in NOT_PEOPLE


def test_agent_on_no_list_is_unknown_and_counts() -> None:
    assert agent_class("LaboratoryNotebook/3.0") is AgentClass.UNKNOWN
    assert AgentClass.UNKNOWN not in NOT_PEOPLE


def test_lists_are_named_with_their_versions() -> None:
    assert "counter-robots 20" in robot_list()
    assert len(robot_list()) <= 100
