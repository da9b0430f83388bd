"""The page that says who may do what, made from the tables themselves."""

import tempfile

from labhub import create_app
from labhub.accounts.actor import Role
from labhub.accounts.policy import ADMINISTRATIVE, RULES
from labhub.config import load
from labhub.web.access import TABLE

CONDITIONS = {
    "always": "yes",
    "signed_in": "signed in",
    "oneself": "oneself",
    "own_laboratory": "own laboratory",
    "own_laboratory_analyst": "own laboratory's analysts",
    "own_party": "own Party",
    "own_party_person": "own Party's people",
    "not_own_submission": "not own submission",
    "own_discussion": "own discussion",
}

INTRODUCTION = """# Who may do what

Made by `tools/permissions_table` from `labhub/accounts/policy.py` and the tables of doors (`ACCESS` of
each `api.py` and `views.py`); a test compares this page with them. What is not here is refused. A person may
hold several roles: the rights add up. What a person may not see answers like something missing (404). An
administrator is technical and reads no draft, confidential sequence or case. Actions marked * need a bearer
token with the scope `admin`.

## Actions
"""


def page() -> str:
    """Return docs/permissions.md."""
    roles = list(Role)
    lines = [
        INTRODUCTION,
        "| action | " + " | ".join(role.value for role in roles) + " |",
        "|---" * (len(roles) + 1) + "|",
    ]
    for action, rules in RULES.items():
        cells = [CONDITIONS[rules[role].__name__] if role in rules else "" for role in roles]
        star = " *" if action in ADMINISTRATIVE else ""
        lines.append(f"| `{action}`{star} | " + " | ".join(cells) + " |")
    lines += ["", "## Doors", "", "| address | methods | needs |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(load({"LABHUB_INSTANCE": folder}, testing=True))
        table = app.extensions[TABLE]
        rows = set()
        for rule in app.url_map.iter_rules():
            methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
            rows.add((rule.rule, methods, table.get(rule.endpoint, "shut")))
    lines += [f"| `{address}` | {methods} | {need} |" for address, methods, need in sorted(rows)]
    return "\n".join(lines) + "\n"
