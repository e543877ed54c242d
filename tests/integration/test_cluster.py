"""A real Dask cluster of several processes on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.command import COMMAND, LOG, comparable, d0parity, read_log
from tests.support.processes import reads, started, wait_for

pytest.importorskip("distributed", reason="the extra dask is not installed")


@dataclass
class Cluster:
    folder: Path
    scheduler: subprocess.Popen[bytes]
    address: str
    workers: list[subprocess.Popen[bytes]]

    def add_worker(self, **environment: str) -> None:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--nthreads=1", "--no-nanny"]
        where = {"cwd": self.folder, "env": os.environ | environment}
        options = ["--no-dashboard", f"--local-directory={self.folder}"]
        with (self.folder / "workers.txt").open("ab") as log:
            self.workers.append(subprocess.Popen([*command, *options], stdout=log, stderr=log, **where))
        known = self.folder / "workers.txt"
        wait_for(lambda: known.read_text().count("Registered to:") >= len(self.workers), "the worker is registered")

    def reads(self, name: str) -> bool:
        return any(reads(worker.pid, name) for worker in self.workers)


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler without workers, in a folder of its own."""
    folder = tmp_path_factory.mktemp("cluster")
    known = folder / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--host=127.0.0.1", "--port=0"]
    with (folder / "scheduler.txt").open("wb") as log:
        scheduler = subprocess.Popen([*command, f"--scheduler-file={known}"], stdout=log, stderr=log, cwd=folder)
    workers: list[subprocess.Popen[bytes]] = []
    try:
        wait_for(lambda: known.exists() and known.read_text().endswith("}"), "the scheduler is there")
        yield Cluster(folder, scheduler, json.loads(known.read_text())["address"], workers)
    finally:
        for process in [scheduler, *workers]:
            process.kill()
            process.wait(timeout=60)


@pytest.fixture
def root(sweep: Path, tmp_path: Path) -> Path:
    """Good datasets and bad ones."""
    root = tmp_path / "root"
    root.mkdir()
    for path in sweep.glob("*.npz"):
        shutil.copy(path, root)
    (root / "data_p1e4.npz").write_bytes((sweep / "data_p1e5.npz").read_bytes()[:20_000])
    return root


def test_the_log_is_the_same_to_the_last_byte(cluster: Cluster, root: Path, tmp_path: Path) -> None:
    cluster.add_worker()
    cluster.add_worker()
    alone = d0parity("log", "--no-cache", "--dataset-root", "root", "--output", "1", "--jobs", "1", cwd=tmp_path)
    there = d0parity(
        *("log", "--no-cache", "--dataset-root", "root", "--output", "n", "--cluster", cluster.address), cwd=tmp_path
    )
    assert alone.returncode == there.returncode == 1
    assert comparable(tmp_path / "1") == comparable(tmp_path / "n")
    assert sorted(alone.stderr.splitlines()) == sorted(there.stderr.splitlines())


def test_a_reference_is_compared_with(cluster: Cluster, sweep: Path, tmp_path: Path) -> None:
    cluster.add_worker()
    root = tmp_path / "root"
    shutil.copytree(sweep, root)
    d0parity("log", "--dataset-root", root, "--output", tmp_path / "reference")
    with np.load(root / "data_p1e5.npz") as arrays:
        np.savez(root / "data_p1e5.npz", **arrays)  # repacked: every CRC is verified there
    done = d0parity(
        *("log", "--dataset-root", root, "--output", tmp_path / "n", "--cluster", cluster.address),
        *("--reference", tmp_path / "reference" / LOG),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert read_log(tmp_path / "n")["verdict"] == "match"


def slow(root: Path, name: str, gigabytes: int = 5) -> None:
    with (root / name).open("wb") as file:
        file.truncate(gigabytes << 30)  # sparse, and some seconds to hash


def missing(log: Any) -> set[str]:
    """Return the datasets that the log does not hold, of which it says exactly that."""
    (told,) = re.findall(r"these were not measured in this run: (.*)", "\n".join(p["message"] for p in log["problems"]))
    names = set(re.findall(r"data_p1e\d\.npz", told))
    held = {dataset["filename"] for dataset in log["datasets"]}
    assert held | names == {f"data_p1e{power}.npz" for power in (3, 4, 5, 7, 9)}
    assert not held & names
    assert "data_p1e7.npz" in names
    return names


@contextlib.contextmanager
def capturing(cluster: Cluster, root: Path, output: Path) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, "log", "--no-cache", "--dataset-root", str(root), "--output", str(output)]
    with started([*command, "--cluster", cluster.address], stderr=subprocess.PIPE, text=True) as process:
        yield process


@contextlib.contextmanager
def busy(cluster: Cluster, root: Path, output: Path) -> Iterator[subprocess.Popen[str]]:
    """A capture that has a small dataset, and for minutes nothing else: some may wait behind the large one."""
    for path in root.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:20_000])  # so that something is told of it
    slow(root, "data_p1e7.npz", gigabytes=300)
    with capturing(cluster, root, output) as process:
        assert process.stderr is not None
        assert "data_p1e" in process.stderr.readline()
        wait_for(lambda: cluster.reads("data_p1e7.npz"), "the large dataset is read")
        yield process


def test_a_worker_that_is_killed_costs_time_and_nothing_else(cluster: Cluster, root: Path, tmp_path: Path) -> None:
    cluster.add_worker()
    cluster.add_worker()
    slow(root, "data_p1e7.npz")
    slow(root, "data_p1e8.npz")
    d0parity("log", "--no-cache", "--dataset-root", root, "--output", tmp_path / "1", "--jobs", "2")
    with capturing(cluster, root, tmp_path / "n") as process:
        victim = cluster.workers[0]
        wait_for(lambda: reads(victim.pid, "data_p1e7.npz", "data_p1e8.npz"), "a large dataset is read")
        victim.kill()
        _, errors = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in errors) == (1, False), errors
    assert comparable(tmp_path / "1") == comparable(tmp_path / "n")


def test_a_scheduler_that_is_killed_leaves_what_was_finished(cluster: Cluster, root: Path, tmp_path: Path) -> None:
    cluster.add_worker()
    cluster.add_worker()
    with busy(cluster, root, tmp_path / "n") as process:
        cluster.scheduler.kill()
        _, errors = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in errors) == (1, False), errors
    log = read_log(tmp_path / "n")
    assert log["verdict"] == "incomplete"
    assert 1 <= len(missing(log)) <= 4
    assert f"the cluster at {cluster.address} gave no result for " in errors
    assert "data_p1e7.npz" in errors


def test_ctrl_c_leaves_what_was_finished(cluster: Cluster, root: Path, tmp_path: Path) -> None:
    cluster.add_worker()
    cluster.add_worker()
    with busy(cluster, root, tmp_path / "n") as process:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (130, False), errors
    assert 1 <= len(missing(read_log(tmp_path / "n"))) <= 4


def test_a_cluster_without_workers(cluster: Cluster, root: Path, tmp_path: Path) -> None:
    done = d0parity("log", "--dataset-root", root, "--output", tmp_path / "n", "--cluster", cluster.address)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"error: no worker of the cluster at {cluster.address} answers within" in done.stderr


def test_workers_of_another_version_are_refused_in_words(cluster: Cluster, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "pytest_d0parity-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-d0parity\nVersion: 9.9\n")
    cluster.add_worker()
    cluster.add_worker(PYTHONPATH=str(other.parent))
    done = d0parity("log", "--dataset-root", root, "--output", tmp_path / "n", "--cluster", cluster.address)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "all workers need pytest-d0parity" in done.stderr
    assert done.stderr.endswith(" has 9.9\n")
    assert not (tmp_path / "n" / LOG).exists()


def test_a_cluster_that_is_not_there(root: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        done = d0parity("log", "--dataset-root", root, "--output", tmp_path / "n", "--cluster", address)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"error: no Dask scheduler answers at {address} within" in done.stderr


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "host:port", ""])
def test_what_is_no_address(root: Path, tmp_path: Path, address: str) -> None:
    done = d0parity("log", "--dataset-root", root, "--output", tmp_path / "n", "--cluster", address)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "is no address of a Dask scheduler; tcp://host:8786 is one" in done.stderr


def test_without_the_extra(root: Path, tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError")
    done = d0parity(
        *("log", "--dataset-root", root, "--output", tmp_path / "n", "--cluster", "tcp://127.0.0.1:8786"),
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert (done.returncode, "pip install 'distributed'" in done.stderr) == (1, True)


def test_a_cluster_or_jobs(tmp_path: Path) -> None:
    done = d0parity("log", "--jobs", "2", "--cluster", "tcp://127.0.0.1:8786", cwd=tmp_path)
    assert (done.returncode, "not allowed with" in done.stderr) == (2, True)
