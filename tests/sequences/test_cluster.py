"""The search on a real Dask cluster of two worker processes on loopback: the same bytes, whoever dies."""

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from labhub.errors import Invalid
from labhub.sequences import cluster
from labhub.sequences.cluster import ClusterUnusable, search_on_cluster
from labhub.sequences.insilico import Assay, Products, Settings, search
from labhub.sequences.oligos import reverse_complement
from labhub.sequences.packed import PackedLibrary, open_pack, pack, write_pack

distributed = pytest.importorskip("distributed", reason="dask is not installed (labhub[dask])")

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ("assay", "record", "start", "size", "strand", "kind", "mm_f", "mm_r", "probe_mm")
pytestmark = pytest.mark.xdist_group("dask")


class Node:
    """A process of the cluster; what it logs is read, so that it never waits for us."""

    def __init__(self, folder: Path, *command: str, labhub: bool = True) -> None:
        environ = {name: text for name, text in os.environ.items() if not name.startswith("LABHUB_")}
        environ["PYTHONPATH"] = str(ROOT) if labhub else str(folder / "without")
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environ,
        )
        self.lines: list[str] = []
        self.reader: Thread | None = None

    def wait_for(self, pattern: str) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                self.reader = Thread(target=self._drain, daemon=True)
                self.reader.start()
                return found[0]
        raise AssertionError("".join(self.lines))

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for _line in self.process.stderr:
            pass

    def kill(self) -> None:
        """End the process as ``kill -9`` does, by its number."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        if self.reader is not None:
            self.reader.join(20)
        assert self.process.stderr is not None
        self.process.stderr.close()


def start_worker(folder: Path, address: str, *, labhub: bool = True) -> Node:
    node = Node(
        folder,
        *("dask_worker", address, "--host", "127.0.0.1", "--nthreads", "1"),
        *("--no-nanny", "--no-dashboard", "--death-timeout", "20"),
        labhub=labhub,
    )
    node.wait_for("Registered to")
    return node


@contextmanager
def running(folder: Path, *, workers: int = 2, labhub: bool = True) -> Iterator[tuple[str, list[Node]]]:
    """Run a scheduler and workers on free ports of loopback."""
    nodes: list[Node] = []
    try:
        scheduler = Node(folder, "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        nodes.append(scheduler)
        address = scheduler.wait_for(r"tcp://127\.0\.0\.1:\d+")
        for _ in range(workers):
            nodes.append(start_worker(folder, address, labhub=labhub))
        yield address, nodes[1:]
    finally:
        for node in reversed(nodes):
            node.kill()


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("dask")) as (address, _workers):
        yield address


def rows(products: Products) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(products, name).tolist() for name in COLUMNS), strict=True))


def question() -> tuple[list[Assay], list[tuple[str, str, bool]]]:
    """Return assays, and records that hold their products also at odd letters and over the origin."""
    chance = random.Random(11)
    bases = "".join(chance.choices("ACGT", k=120_000))
    bases = bases[:50_000] + "N" * 300 + bases[50_300:90_000] + "RYSW" + bases[90_004:]
    assays = [Assay("bad", "ACGTZ", "ACGT")]
    for number in range(25):
        place = chance.randrange(len(bases) - 400)
        forward, reverse = bases[place : place + 20], bases[place + 180 : place + 201]
        assays.append(
            Assay(f"a{number}", forward, reverse_complement(reverse), bases[place + 60 : place + 80])
        )
    ring = bases[:9_000]
    records = [
        ("linear", bases, False),
        ("ring", ring[4_000:] + ring[:4_000], True),
        ("back", reverse_complement(bases[20_000:70_000]), False),
    ]
    return [assay for assay in assays if "N" * 5 not in assay.forward], records


def test_the_result_is_that_of_one_machine(two_workers: str) -> None:
    assays, records = question()
    library = pack(records)
    settings = Settings(max_mismatches=3)
    here = search(assays, library, settings)
    assert len(here.products) > 20
    told: list[tuple[int, int]] = []
    for size in (7_000, 64_004):
        there = search_on_cluster(
            assays,
            library,
            settings,
            address=two_workers,
            piece_bases=size,
            progress=lambda done, total: told.append((done, total)),
        )
        assert rows(there.products) == rows(here.products)
        assert [column.dtype for column in vars(there.products).values()] == [
            column.dtype for column in vars(here.products).values()
        ]
        assert [(name, str(text)) for name, text in there.refused] == [
            (name, str(text)) for name, text in here.refused
        ]
        assert there.searched == here.searched
    assert told[-1] == (library.size, library.size)


def test_a_cut_off_search_is_cut_off_alike(two_workers: str) -> None:
    library = pack([("repeat", "ACGTTGCAAC" * 3_000, False)])
    assays = [Assay("a", "ACGTTGCAACACGTTG", "GTTGCAACGTGTTGCA")]
    settings = Settings(most_sites=700, most_products=900, max_size=400)
    here = search(assays, library, settings)
    there = search_on_cluster(assays, library, settings, address=two_workers, piece_bases=4_000)
    assert here.truncated
    assert rows(there.products) == rows(here.products)
    assert [(name, str(text)) for name, text in there.truncated] == [
        (name, str(text)) for name, text in here.truncated
    ]


def test_a_pack_that_all_workers_see_is_not_sent(
    two_workers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assays, records = question()
    path = tmp_path / "shared.labpack"
    write_pack(path, records)
    library = open_pack(path)
    here = search(assays, library, Settings())

    def never(*_given: object) -> PackedLibrary:
        raise AssertionError("bases were sent")

    monkeypatch.setattr(cluster, "_cut", never)
    told: list[str] = []
    there = search_on_cluster(
        assays,
        library,
        Settings(),
        address=two_workers,
        piece_bases=30_000,
        tell=lambda text: told.append(str(text)),
    )
    assert rows(there.products) == rows(here.products)
    assert told == []


def test_a_pack_that_they_do_not_see_is_sent(two_workers: str, tmp_path: Path) -> None:
    assays, records = question()
    path = tmp_path / "private.labpack"
    write_pack(path, records)
    library = open_pack(path)
    here = search(assays, library, Settings())
    path.unlink()  # what is mapped here stays
    told: list[str] = []
    there = search_on_cluster(
        assays, library, Settings(), address=two_workers, tell=lambda text: told.append(str(text))
    )
    assert rows(there.products) == rows(here.products)
    assert told == ["The workers do not see private.labpack: its bases are sent to them."]


@pytest.mark.req("F14")
@pytest.mark.parametrize("shared", [False, True])
def test_a_worker_that_is_killed_in_mid_run_changes_nothing(tmp_path: Path, shared: bool) -> None:
    assays, records = question()
    library = pack(records)
    if shared:
        write_pack(tmp_path / "shared.labpack", records)
        library = open_pack(tmp_path / "shared.labpack")
    here = search(assays, library, Settings(max_mismatches=3))
    with running(tmp_path) as (address, workers):
        done: list[int] = []

        def kill_one(so_far: int, _all: int) -> None:
            done.append(so_far)
            if len(done) == 5:
                workers[0].kill()

        there = search_on_cluster(
            assays,
            library,
            Settings(max_mismatches=3),
            address=address,
            piece_bases=4_000,
            progress=kill_one,
        )
        assert workers[0].process.returncode == -signal.SIGKILL
        assert workers[1].process.poll() is None
    assert rows(there.products) == rows(here.products)
    assert done[-1] == library.size
    assert len(done) == len(set(done)) == -(-library.size // 4_000)


def test_without_any_worker_left_the_search_ends_with_a_line(tmp_path: Path) -> None:
    assays, records = question()
    with running(tmp_path, workers=1) as (address, workers):

        def kill_all(_so_far: int, _all: int) -> None:
            workers[0].kill()

        with pytest.raises(ClusterUnusable, match="has no worker"):
            search_on_cluster(
                assays,
                pack(records),
                Settings(),
                address=address,
                piece_bases=4_000,
                progress=kill_all,
                no_worker_seconds=2,
            )
        with pytest.raises(ClusterUnusable, match="has no worker"):
            search_on_cluster(assays, pack(records), Settings(), address=address, connect_seconds=1)


def test_a_cluster_that_does_not_answer_is_said_in_one_line() -> None:
    with pytest.raises(ClusterUnusable) as refused:
        search_on_cluster(
            [Assay("a", "ACGTACGTAC", "ACGTACGTAC")],
            pack([("r", "ACGT", False)]),
            Settings(),
            address="tcp://127.0.0.1:9",
            connect_seconds=1,
        )
    assert str(refused.value.message) == "The Dask cluster at tcp://127.0.0.1:9 does not answer."


def test_another_version_on_a_worker_is_refused(two_workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assays, records = question()
    monkeypatch.setattr(cluster, "_engine_digest", lambda: "of-another-day")
    with pytest.raises(ClusterUnusable, match=r"has other versions \(labhub engine [0-9a-f]{16}"):
        search_on_cluster(assays, pack(records), Settings(), address=two_workers)


def test_a_worker_without_labhub_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "without" / "labhub"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ModuleNotFoundError('No module named labhub')\n")
    assays, records = question()
    with (
        running(tmp_path, workers=1, labhub=False) as (address, _workers),
        pytest.raises(ClusterUnusable, match=r"tcp://127\.0\.0\.1:\d+ cannot search: labhub"),
    ):
        search_on_cluster(assays, pack(records), Settings(), address=address, connect_seconds=10)


def test_what_is_wrong_with_the_question_is_said_before_anybody_is_asked() -> None:
    with pytest.raises(Invalid, match="0 to 5"):
        search_on_cluster(
            [], pack([("r", "ACGT", False)]), Settings(max_mismatches=9), address="tcp://127.0.0.1:9"
        )


def labhub(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("LABHUB_")}
    environ |= {"PYTHONPATH": str(ROOT), **settings}
    return subprocess.run(
        [sys.executable, "-m", "labhub", "insilico", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environ,
        timeout=120,
        check=False,
    )


def test_the_command_gives_the_same_bytes(two_workers: str, tmp_path: Path) -> None:
    assays, records = question()
    (tmp_path / "assays.tsv").write_text(
        "id\tforward\treverse\tprobe\n"
        + "".join(f"{each.name}\t{each.forward}\t{each.reverse}\t{each.probe}\n" for each in assays[1:])
    )
    (tmp_path / "records.fa").write_text("".join(f">{name}\n{bases}\n" for name, bases, _ in records))
    (tmp_path / "rings").write_text("ring\n")
    asked = ("--methods", "assays.tsv", "--reference", "records.fa", "--circular", "rings")
    here = labhub(tmp_path, *asked)
    there = labhub(tmp_path, *asked, "--dask", two_workers)
    assert here.returncode == there.returncode == 0, there.stderr
    assert here.stdout == there.stdout
    assert here.stdout.count("\n") > 20
    assert here.stderr == there.stderr
    by_setting = labhub(tmp_path, *asked, LABHUB_DASK_SCHEDULER=two_workers)
    assert (by_setting.stdout, by_setting.returncode) == (here.stdout, 0)
    nobody = "tcp://127.0.0.1:9"
    fallen_back = labhub(tmp_path, *asked, LABHUB_DASK_SCHEDULER=nobody)
    assert (fallen_back.stdout, fallen_back.returncode) == (here.stdout, 0)
    assert f"{nobody} does not answer. Searched on this machine instead." in fallen_back.stderr
    by_name = labhub(tmp_path, *asked, "--dask", nobody)
    assert (by_name.stdout, by_name.returncode) == ("", 1)
    assert by_name.stderr == f"labhub: The Dask cluster at {nobody} does not answer.\n"
    wrong = labhub(tmp_path, *asked, "--dask", "somewhere")
    assert wrong.returncode == 1
    assert "must be an address" in wrong.stderr
