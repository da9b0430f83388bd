"""Who may import whom (ARCHITECTURE.md), read from the source; and the other rules of the tree."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "labhub"
LEVELS = [
    "ground",
    "accounts",
    "work",
    "usage",
    "training",
    "lmos",
    "sequences",
    "methods",
    "samples",
    "forum",
    "indicators",
]
ROOMS = {"models": 0, "subject": 0, "queries": 1, "commands": 2, "schemas": 3, "api": 4, "views": 4}
NAMED_ROOMS = ("models", "queries", "commands", "schemas", "api", "views")
WEB_FREE = (
    "flask",
    "marshmallow",
    "werkzeug",
    "flask_login",
    "flask_smorest",
    "flask_security",
    "labhub.web",
)
ABOVE_ALL = (
    "labhub.app",
    "labhub.cli",
    "labhub.engine_cli",
    "labhub.identify_cli",
    "labhub.serving",
    "labhub.__main__",
)
MODULES = sorted(path for path in ROOT.rglob("*.py") if "static" not in path.parts)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    parts = module.split(".")
    if len(parts) == 2 and parts[1] not in LEVELS and parts[1] != "web":
        return "ground"
    return parts[1] if len(parts) > 1 else "labhub"


def room_of(module: str) -> str:
    """A room may have a first name: ``find_queries`` is one of the rooms of queries."""
    last = module.split(".")[-1].rsplit("_", 1)[-1]
    return last if last in NAMED_ROOMS else "subject"


def imports_of(path: Path) -> list[tuple[str, int, bool]]:
    """Return (module, line, at the top) of each import; ``from labhub import audit`` names labhub.audit."""
    found: list[tuple[str, int, bool]] = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for block in tree.body:  # `if TYPE_CHECKING:` counts as the top
        if isinstance(block, (ast.If, ast.Try)):
            top |= {id(node) for node in block.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = (ROOT.parent / (full.replace(".", "/") + ".py")).exists() or (
                    ROOT.parent / full.replace(".", "/") / "__init__.py"
                ).exists()
                found.append((full if is_module else node.module, node.lineno, id(node) in top))
    return found


@pytest.mark.parametrize("path", MODULES, ids=[module_name(path) for path in MODULES])
def test_module_imports_only_what_lies_below(path: Path) -> None:
    module = module_name(path)
    package, room = package_of(module), room_of(module)
    wrong: list[str] = []
    for target, line, _top in imports_of(path):
        if not target.startswith("labhub.") and target != "labhub":
            continue
        to_package, to_room = package_of(target), room_of(target)
        where = f"{module}:{line} imports {target}"
        if package == "labhub" or module in ABOVE_ALL:
            continue  # create_app and the command line stand above all
        if to_room in ("api", "views") and to_package != "web":
            wrong.append(f"{where}: nobody imports a door but create_app")
        elif package == "web" or room in ("api", "views") or (room == "schemas" and to_package == "web"):
            continue
        elif to_package == "web":
            wrong.append(f"{where}: only doors use labhub.web")
        elif to_package == package and package in LEVELS[1:]:
            if ROOMS[to_room] > ROOMS[room]:
                wrong.append(f"{where}: inside a package imports go downwards")
        elif to_package not in LEVELS or LEVELS.index(to_package) > LEVELS.index(package):
            wrong.append(f"{where}: {to_package} lies above {package}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", MODULES, ids=[module_name(path) for path in MODULES])
def test_rules_know_nothing_of_the_web(path: Path) -> None:
    module = module_name(path)
    package, room = package_of(module), room_of(module)
    if package not in LEVELS or package == "ground" or room in ("api", "views", "schemas"):
        return
    forbidden = [
        t for t, _line, _top in imports_of(path) if t.split(".")[0] in WEB_FREE or t.startswith("labhub.web")
    ]
    assert not forbidden, f"{module} imports {forbidden}"
    if room != "subject":
        assert not [t for t, _line, _top in imports_of(path) if t.startswith("Bio")], (
            "Biopython stays in subjects"
        )


@pytest.mark.parametrize("path", MODULES, ids=[module_name(path) for path in MODULES])
def test_own_modules_are_imported_at_the_top(path: Path) -> None:
    hidden = [
        f"line {line}: {t}" for t, line, top in imports_of(path) if t.split(".")[0] == "labhub" and not top
    ]
    assert not hidden, f"{module_name(path)}: {hidden}"


@pytest.mark.parametrize("path", MODULES, ids=[module_name(path) for path in MODULES])
def test_only_the_database_module_commits(path: Path) -> None:
    if path.name == "db.py" and path.parent == ROOT:
        return
    calls = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert not calls, f"{module_name(path)} commits in lines {calls}"


@pytest.mark.parametrize("path", MODULES, ids=[module_name(path) for path in MODULES])
def test_faults_are_not_swallowed(path: Path) -> None:
    broad = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]
    assert not broad, f"{module_name(path)} catches everything in lines {broad}"


def test_views_obtain_records_through_queries_only() -> None:
    """A door that selects from a table itself could forget who may see the row (``trust.md`` §3)."""
    wrong = []
    for path in MODULES:
        if room_of(module_name(path)) not in ("api", "views") or package_of(module_name(path)) == "web":
            continue
        names = {t for t, _line, _top in imports_of(path)}
        if any(name.startswith("sqlalchemy") for name in names):
            wrong.append(module_name(path))
        source = path.read_text(encoding="utf-8")
        if "db.session" in source:
            wrong.append(f"{module_name(path)} uses the session")
    assert not wrong, wrong


def test_public_functions_say_what_they_do() -> None:
    missing = []
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                if not ast.get_docstring(node):
                    missing.append(f"{module_name(path)}.{node.name}")
    assert not missing, missing
