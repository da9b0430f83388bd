#!/usr/bin/env python3
"""The list of methods beside Datasette serving the same rows in the same run, on loopback, by wrk.

    .venv/bin/python benchmarks/methods/bench.py                       # 50 000 methods, 200 000 oligos
    .venv/bin/python benchmarks/methods/bench.py --instance DIR        # a hub that is filled already
    .venv/bin/python benchmarks/methods/bench.py --only json-list,html-list --seconds 5 --json out.json

Read README.md beside this file first: what is compared, and how to read it.
"""

import argparse
import json
import os
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import peer

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "labhub-bench"
DATASETTE = "datasette==0.65.5"
AT_ONCE = 10_000
REPORT = """
local paths, at = {}, START
for line in io.lines(FILE) do paths[#paths + 1] = line end
function request() at = at + 1; return wrk.format("GET", paths[(at - 1) % #paths + 1]) end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('WRK {"requests":%d,"seconds":%.4f,"p50":%.2f,"p95":%.2f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(95) / 1000,
    e.status + e.connect + e.read + e.write + e.timeout))
end
"""
TAXA = (
    "Zea mays",
    "Glycine max",
    "Gossypium hirsutum",
    "Brassica napus",
    "Oryza sativa",
    "Solanum tuberosum",
)
SCOPES = ("event", "construct", "screening", "taxon")
TECHNIQUES = ("qpcr", "dpcr", "end-point")
WORDS = ("maize", "soybean", "cotton", "rice", "potato", "event", "construct", "screening", "master", "feed",
         "flour", "cp4", "cry1ab", "nptii", "mon810", "nk603", "tc1507", "gt73", "bar", "pat")  # fmt: skip
POPULAR = 300
"""Methods that the questions named again-… are about: they are asked for many times over."""
FACETS = ("specificity", "technique", "taxon", "year", "rights", "quantitative")


# What is asked --------------------------------------------------------------------------------


def filters(chance: random.Random) -> dict[str, str]:
    """Return two or three filters that both servers know."""
    found = {"taxon": chance.choice(TAXA), "specificity": chance.choice(SCOPES)}
    if chance.random() < 0.5:
        found["technique"] = chance.choice(TECHNIQUES)
    if chance.random() < 0.3:
        found["year"] = str(chance.randint(2000, 2026))
    return found


def address(path: str, *parts: dict[str, str] | list[tuple[str, str]]) -> str:
    """Return a path with its query."""
    pairs = [pair for part in parts for pair in (part.items() if isinstance(part, dict) else part)]
    return f"{path}?{urllib.parse.urlencode(pairs)}" if pairs else path


def questions(name: str, number: int, codes: list[tuple[int, str]]) -> tuple[list[str], list[str]]:
    """Return ``number`` addresses on the hub and the same questions to the peer."""
    chance = random.Random(name)
    peer_facets = [("_facet", facet) for facet in FACETS]
    plain = {"_size": "50", "_shape": "objects"}
    hub: list[str] = []
    other: list[str] = []
    for _ in range(number):
        chosen, page = filters(chance), chance.randint(1, 8)
        after = {"_next": str(chance.choice(codes)[0])} if page > 1 else {}
        version, code = chance.choice(codes)
        popular = chance.choice(codes[:POPULAR])
        words = f"{chance.choice(WORDS)} {chance.choice(WORDS)}"
        if chance.random() < 0.3:
            words = f"{chance.choice(WORDS)} {chance.randint(1, len(codes))}"
        pair = {
            "json-list": (
                address("/api/v1/methods", {"page_size": "50", "page": str(page)}, chosen),
                address("/peer/method.json", plain, chosen, after),
            ),
            "html-list": (
                address("/methods", {"page_size": "50", "page": str(page)}, chosen),
                address("/peer/method", {"_size": "50"}, chosen, after),
            ),
            "html-facets": (
                address("/methods", {"page_size": "50", "page": str(page)}, chosen),
                address("/peer/method", {"_size": "50"}, chosen, after, peer_facets),
            ),
            "json-facets": (
                address("/api/v1/methods/facets", chosen, {"most": str(chance.randint(10, 40))}),
                address("/peer/method.json", {"_size": "1"}, chosen, peer_facets),
            ),
            "search": (
                address("/api/v1/methods", {"q": words, "page_size": "50"}),
                address("/peer/method.json", plain, {"_search": words}),
            ),
            "detail-html": (f"/methods/{code}", f"/peer/method/{version}"),
            "detail-json": (f"/api/v1/methods/{code}", f"/peer/method/{version}.json"),
            "again-html": (f"/methods/{popular[1]}", f"/peer/method/{popular[0]}"),
            "again-json": (f"/api/v1/methods/{popular[1]}", f"/peer/method/{popular[0]}.json"),
            "again-list": (
                address("/methods", {"page_size": "50"}, {"taxon": TAXA[popular[0] % len(TAXA)]}),
                address("/peer/method", {"_size": "50", "taxon": TAXA[popular[0] % len(TAXA)]}),
            ),
        }[name]
        hub.append(pair[0])
        other.append(pair[1])
    return hub, other


NAMES = ("json-list", "html-list", "html-facets", "json-facets", "search", "detail-html", "detail-json",
         "again-list", "again-html", "again-json")  # fmt: skip


# Servers --------------------------------------------------------------------------------------


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> tuple[int, bytes]:
    """Return status and body."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 (loopback)
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def wait_for(base: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"the server of {base} has stopped with {process.returncode}")
        try:
            get(base + "/")
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"no answer from {base}")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its children so far (Linux)."""
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry))
        ticks[int(entry)] = int(fields[11]) + int(fields[12])
    todo, total = [pid], 0
    while todo:
        one = todo.pop()
        total += ticks.get(one, 0)
        todo += children.get(one, [])
    return total / os.sysconf("SC_CLK_TCK")


def labhub(instance: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command and environment of labhub for an instance."""
    return [sys.executable, "-m", "labhub"], {**os.environ, "LABHUB_INSTANCE": str(instance)}


def fill(instance: Path, methods: int) -> None:
    """Make an instance with this many made-up methods, by labhub's own import; print how long it took."""
    command, environ = labhub(instance)
    subprocess.run([*command, "init"], env=environ, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    for first in range(1, methods + 1, AT_ONCE):
        count = min(AT_ONCE, methods - first + 1)
        rows = instance / "rows.csv"
        maker = [sys.executable, str(HERE / "make_rows.py"), str(count), str(rows), "--first", str(first)]
        subprocess.run(maker, cwd=PROJECT, env={**environ, "PYTHONPATH": str(PROJECT)}, check=True)
        start = time.monotonic()
        subprocess.run(
            [*command, "import", "methods", str(rows)],
            env=environ, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        print(f"imported {count} methods in {time.monotonic() - start:.1f} s", file=sys.stderr)
        rows.unlink()


def datasette() -> str:
    """Return the peer's program, installed on first use into its own environment."""
    folder = CACHE / "venv"
    program = folder / "bin" / "datasette"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", DATASETTE], check=True)
    return str(program)


# Measuring ------------------------------------------------------------------------------------


def wrk(base: str, paths: Path, start: int, given: argparse.Namespace, pid: int) -> dict[str, float]:
    """Run wrk once; return requests a second, latency in ms, CPU ms a request, errors."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(REPORT.replace("START", str(start)).replace("FILE", json.dumps(str(paths))))
        script.flush()
        before = cpu_seconds(pid)
        done = subprocess.run(
            ["wrk", "-t", "1", "-c", str(given.clients), "-d", f"{given.seconds}s", "--timeout", "20s",
             "--latency", "-s", script.name, base],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    line = next((line for line in done.stdout.splitlines() if line.startswith("WRK ")), None)
    if line is None:
        sys.exit(f"wrk gave no result: {done.stdout[-300:]}{done.stderr[-300:]}")
    found: dict[str, float] = json.loads(line[4:])
    found["rps"] = found["requests"] / found["seconds"]
    found["cpu"] = (cpu_seconds(pid) - before) / max(found["requests"], 1) * 1000
    return found


def measure(
    name: str,
    servers: dict[str, tuple[str, int]],
    given: argparse.Namespace,
    codes: list[tuple[int, str]],
    folder: Path,
) -> dict[str, Any]:
    """Measure one kind of question in interleaved rounds, each request another one (``cold``)."""
    asked = dict(zip(servers, questions(name, given.questions, codes), strict=True))
    files = {}
    for who, paths in asked.items():
        files[who] = folder / f"{name}-{who}.txt"
        files[who].write_text("\n".join(paths) + "\n")
        for path in paths[:3]:
            status, body = get(servers[who][0] + path)
            if status != 200 or not body:
                sys.exit(f"{who} answers {status} to {path}")
        if name.startswith("again"):
            for path in dict.fromkeys(paths):
                get(servers[who][0] + path)
    rounds: dict[str, list[dict[str, float]]] = {who: [] for who in servers}
    offsets = dict.fromkeys(servers, 0)
    for number in range(given.rounds + 1):  # the first one warms up and is not counted
        for who, (base, pid) in servers.items():
            found = wrk(base, files[who], offsets[who], given, pid)
            offsets[who] += int(found["requests"]) + given.clients
            if number:
                rounds[who].append(found)
    result: dict[str, Any] = {"name": name}
    for who, each in rounds.items():
        result[who] = {
            key: statistics.median(one[key] for one in each) for key in ("rps", "cpu", "p50", "p95")
        }
        result[f"{who}_errors"] = sum(one["errors"] for one in each)
        result[f"{who}_repeated"] = offsets[who] > given.questions
    return result


def show(result: dict[str, Any], servers: dict[str, tuple[str, int]]) -> None:
    """Print one line of the table."""
    line = f"{result['name']:12}"
    for who in servers:
        one = result[who]
        line += f" | {one['rps']:8.0f} {one['cpu']:8.2f} {one['p50']:8.1f} {one['p95']:8.1f}"
        line += f" {result[f'{who}_errors']:4.0f}{'r' if result[f'{who}_repeated'] else ' '}"
    hub, other = result["hub"], result["peer"]
    line += f" | {other['cpu'] / hub['cpu']:7.1f}x {hub['rps'] / other['rps']:7.1f}x"
    print(line, flush=True)


def main() -> int:
    """Fill, start, measure, print; 1 when a request failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", type=int, default=50_000)
    parser.add_argument("--instance", type=Path, help="a filled instance; default: made in the cache folder")
    parser.add_argument("--only", default=",".join(NAMES), help="kinds of questions, with commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--questions", type=int, default=60_000, help="different addresses of each kind")
    parser.add_argument("--threads", type=int, default=2, help="threads of the hub")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    CACHE.mkdir(parents=True, exist_ok=True)
    instance = given.instance or CACHE / f"hub-{given.methods}"
    if not (instance / "labhub.db").exists():
        instance.mkdir(parents=True, exist_ok=True)
        fill(instance, given.methods)
    database = CACHE / "peer.db"
    methods, oligos = peer.build(str(instance / "labhub.db"), str(database))
    print(
        f"{methods} methods, {oligos} oligos; {given.clients} clients; {os.cpu_count()} cores",
        file=sys.stderr,
    )
    with sqlite3.connect(database) as connection:
        codes = connection.execute("select id, code from method order by id").fetchall()
    command, environ = labhub(instance)
    ports = {"hub": free_port(), "peer": free_port()}
    started = {
        "hub": subprocess.Popen(
            [*command, "serve", "--port", str(ports["hub"]), "--threads", str(given.threads)],
            env=environ, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ),
        "peer": subprocess.Popen(
            [datasette(), "serve", "-i", str(database), "-h", "127.0.0.1", "-p", str(ports["peer"]),
             "--setting", "suggest_facets", "off", "--setting", "default_cache_ttl", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ),
    }  # fmt: skip
    results = []
    try:
        servers = {}
        for who, process in started.items():
            base = f"http://127.0.0.1:{ports[who]}"
            wait_for(base, process)
            servers[who] = (base, process.pid)
        cells = f"{'r/s':>8} {'cpu ms':>8} {'p50 ms':>8} {'p95 ms':>8} {'err':>5}"
        print(f"{'':12} | hub {cells[4:]} | peer {cells[5:]} | {'cpu':>8} {'r/s':>8}")
        with tempfile.TemporaryDirectory() as folder:
            for name in given.only.split(","):
                results.append(measure(name, servers, given, codes, Path(folder)))
                show(results[-1], servers)
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait(20)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if any(result["hub_errors"] or result["peer_errors"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
