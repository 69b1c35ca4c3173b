"""How many processors there are: by affinity, and by what a container grants."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from microgpt.engines import machine

V2 = "29 23 0:26 {top} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "33 25 0:29 {top} /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct"
MEMORY = "34 25 0:30 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory"
DISK = "22 1 8:1 / / rw,relatime - ext4 /dev/root rw"

CASES = {
    "nothing": ({}, math.inf),
    "no limit in version 2": (
        {"cgroup": "0::/", "mountinfo": V2.format(top="/"), "cpu.max": "max 100000\n"},
        math.inf,
    ),
    "a container in version 2": (
        {"cgroup": "0::/", "mountinfo": V2.format(top="/"), "cpu.max": "150000 100000\n"},
        1.5,
    ),
    "a group, and the one above it has less": (
        {
            "cgroup": "0::/user.slice/job.scope",
            "mountinfo": f"{DISK}\n{V2.format(top='/')}",
            "user.slice/cpu.max": "200000 100000\n",
            "user.slice/job.scope/cpu.max": "400000 100000\n",
        },
        2.0,
    ),
    "a container that sees its path from outside": (
        {
            "cgroup": "0::/../../docker/4f",
            "mountinfo": V2.format(top="/"),
            "cpu.max": "50000 100000\n",
        },
        0.5,
    ),
    "a container in version 1": (
        {
            "cgroup": "5:memory:/docker/4f\n4:cpu,cpuacct:/docker/4f\n0::/docker/4f",
            "mountinfo": f"{DISK}\n{MEMORY}\n{V1.format(top='/docker/4f')}",
            "cpu/cpu.cfs_quota_us": "300000\n",
            "cpu/cpu.cfs_period_us": "100000\n",
        },
        3.0,
    ),
    "a group in version 1": (
        {
            "cgroup": "4:cpu:/job",
            "mountinfo": V1.format(top="/"),
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "cpu/job/cpu.cfs_quota_us": "25000\n",
            "cpu/job/cpu.cfs_period_us": "50000\n",
        },
        0.5,
    ),
    "no limit in version 1": (
        {
            "cgroup": "4:cpu:/",
            "mountinfo": V1.format(top="/"),
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
        },
        math.inf,
    ),
    "what cannot be read": (
        {"cgroup": "0::/", "mountinfo": V2.format(top="/"), "cpu.max": "plenty\n"},
        math.inf,
    ),
}


@pytest.mark.parametrize(("files", "granted"), CASES.values(), ids=CASES)
def test_a_container_s_quota_is_found_in_both_versions(
    files: dict[str, str], granted: float, tmp_path: Path
) -> None:
    for name, text in files.items():
        folder = "proc/self" if name in ("cgroup", "mountinfo") else "sys/fs/cgroup"
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert machine.cpu_quota(tmp_path) == granted


@pytest.mark.parametrize(
    ("affinity", "quota", "count"),
    [(8, math.inf, 8), (8, 2.0, 2), (8, 1.5, 2), (8, 0.1, 1), (2, 64.0, 2)],
)
def test_processors_are_those_of_affinity_and_quota(
    affinity: int, quota: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    monkeypatch.setattr(machine, "cpu_quota", lambda: quota)
    assert machine.processors() == count
