"""The real server: starts, stops in order, survives being killed; a failed set-up is one line."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Flask

from tests.services import free_port, wait_for

ROOT = Path(__file__).resolve().parent.parent


def labhub(
    instance: Path, *arguments: str, check: bool = True, text_in: str | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LABHUB_")}
    environ |= {"LABHUB_INSTANCE": str(instance), **extra}
    done = subprocess.run(
        [sys.executable, "-m", "labhub", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        input=text_in,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


@contextmanager
def serving(instance: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LABHUB_")}
    environ |= {"LABHUB_INSTANCE": str(instance), "LABHUB_PORT": str(port)}
    with (instance / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "labhub", "serve"],
            env=environ,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        wait_for(port, process, 60)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


@pytest.fixture(scope="module")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    labhub(folder, "init")
    return folder


def get(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.sqlite
@pytest.mark.req("F10")
def test_the_server_answers_and_stops_in_order(hub_folder: Path) -> None:
    port = free_port()
    with serving(hub_folder, port) as process:
        assert get(port, "/healthz") == (200, b'{"status":"ok"}')
        status, body = get(port, "/readyz")
        assert (status, json.loads(body)) == (200, {"database": True, "storage": True, "migrations": True})
        assert get(port, "/methods?q=MON810")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)


def test_readiness_is_told_while_other_requests_end(app: Flask) -> None:
    """Each asks the database over a connection of its own, which nobody else closes."""

    def ask(number: int) -> int:
        return app.test_client().get("/readyz" if number % 2 else "/healthz").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(400))) == {200}


def test_a_taken_port_is_one_clear_line(hub_folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = labhub(hub_folder, "serve", check=False, LABHUB_PORT=port)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"Port {port}" in done.stderr
    assert "LABHUB_PORT=" in done.stderr


def test_more_workers_need_redis(hub_folder: Path) -> None:
    done = labhub(hub_folder, "serve", "--workers", "2", check=False)
    assert done.returncode == 1
    assert "LABHUB_REDIS_URL" in done.stderr


def test_an_unknown_setting_and_a_missing_database_are_one_line_each(tmp_path: Path) -> None:
    done = labhub(tmp_path, "doctor", check=False, LABHUB_PROT="1")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1)
    assert "LABHUB_PROT" in done.stderr
    assert "LABHUB_PORT" in done.stderr
    done = labhub(tmp_path, "indicators", check=False)
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "labhub: The database is not ready: run labhub init first.",
    )


def test_wrong_usage_exits_with_two(hub_folder: Path) -> None:
    assert labhub(hub_folder, "no-such-command", check=False).returncode == 2
    assert labhub(hub_folder, "insilico", check=False).returncode == 2
    assert labhub(hub_folder, "export", "lmos", "--format", "pdf", check=False).returncode == 2


def upload(port: int, token: str, name: str, content: bytes) -> tuple[int, dict[str, object]]:
    boundary = "labhub-test"
    body = (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}.fasta"\r\n'
            f"Content-Type: text/plain\r\n\r\n"
        ).encode()
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(
            "POST",
            "/api/v1/sequences",
            body,
            {"Authorization": f"Bearer {token}", "Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        response = connection.getresponse()
        answer = response.read()
        return response.status, json.loads(answer) if response.status == 201 else {}
    finally:
        connection.close()


@pytest.mark.sqlite
@pytest.mark.req("F1")
@pytest.mark.timeout(240)
def test_what_was_answered_with_201_survives_kill_9(tmp_path: Path) -> None:
    labhub(tmp_path, "init")
    labhub(tmp_path, "import", "laboratories", str(_laboratory_file(tmp_path)))
    email = "amina@example.org"
    labhub(
        tmp_path,
        "user",
        "create",
        email,
        "--name",
        "Amina",
        "--party",
        "KE",
        "--laboratory",
        "LAB-1",
        "--role",
        "analyst",
    )
    token = labhub(tmp_path, "token", "create", email, "--scope", "write").stdout.strip()
    stored: dict[str, str] = {}
    chance = random.Random(7)
    for round_number in range(3):
        port = free_port()
        ready, ended = threading.Event(), threading.Event()

        def work(worker: int, port: int = port, round_number: int = round_number) -> None:
            bases = random.Random(f"{round_number}-{worker}")
            for number in range(200):
                name = f"R{round_number}W{worker}N{number}"
                content = f">{name}\n{''.join(bases.choices('ACGT', k=400))}\n".encode()
                try:
                    status, record = upload(port, token, name, content)
                except (OSError, http.client.HTTPException, ValueError):
                    return  # killed
                if status == 201:
                    stored[str(_accession(record))] = sha256(content).hexdigest()
                    if len(stored) > 12 * (round_number + 1):
                        ready.set()
                if ended.is_set():
                    return

        with serving(tmp_path, port) as process:
            workers = [threading.Thread(target=work, args=(index,)) for index in range(4)]
            for thread in workers:
                thread.start()
            assert ready.wait(60), "too few uploads succeeded"
            threading.Event().wait(chance.uniform(0, 0.3))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
            ended.set()
            for thread in workers:
                thread.join(30)
    done = labhub(tmp_path, "doctor", "--json", check=False)
    problems = [line for line in json.loads(done.stdout)["problems"] if "no row uses it" not in line]
    assert problems == []
    assert labhub(tmp_path, "doctor", "--fix", check=False).returncode == 0
    assert labhub(tmp_path, "doctor").returncode == 0
    port = free_port()
    with serving(tmp_path, port):
        for accession, digest in stored.items():
            status, body = get(port, f"/api/v1/sequences/{accession}", Authorization=f"Bearer {token}")
            assert status == 200, accession
            assert digest in body.decode(), accession
    assert len(stored) >= 36


def _laboratory_file(folder: Path) -> Path:
    path = folder / "laboratories.json"
    path.write_text(json.dumps([{"code": "LAB-1", "name": "Laboratory 1", "party": "KE"}]))
    return path


def _accession(answer: object) -> object:
    record = answer[0] if isinstance(answer, list) else answer
    assert isinstance(record, dict)
    return record["accession"]


def test_time_is_asked_of_one_clock_only() -> None:
    """``labhub.clock`` is the only module that reads the system's time for a rule."""
    wrong = [
        f"{path}:{number}"
        for path in (ROOT / "labhub").rglob("*.py")
        if path.name != "clock.py"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if "datetime.now(" in line
        or "datetime.utcnow(" in line
        or "date.today(" in line
        or "time.time()" in line
    ]
    assert wrong == []
