"""The processors that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def processors() -> int:
    """Count the processors that this process may use, by its affinity and by its container's quota.

    A quota of part of a processor counts as one: its thread is paused from time to time.
    """
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, math.ceil(min(allowed, cpu_quota()))))


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however it ended."""
    import multiprocessing  # most commands start no process
    from multiprocessing.connection import wait
    from threading import Thread

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent:
            wait([parent.sentinel])
            os._exit(1)

    Thread(target=watch, daemon=True).start()


def cpu_quota(root: Path = Path("/")) -> float:
    """Return how many processors' time Linux's control groups grant this process; inf: no limit.

    A group has at most what those above it have.

    Source: "Control Group v2" and "CFS Bandwidth Control" in the kernel's documentation; proc(5) on
    /proc/self/cgroup and mountinfo.
    """
    return min((_granted(folder) for folder in _groups(root)), default=math.inf)


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of the process's groups and of those above them, of both versions."""
    try:
        memberships = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return  # not Linux, or /proc cannot be read
    paths: dict[str, str] = {}
    for line in memberships:  # 4:cpu,cpuacct:/path, or 0::/path in version 2
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    for line in mounts:  # id parent device ROOT POINT options ... - TYPE source OPTIONS
        left, _, right = line.partition(" - ")
        _, _, _, top, point, *_ = left.split(" ")
        kind, *_, options = right.split(" ")
        controller = {"cgroup2": "", "cgroup": "cpu"}.get(kind)
        if controller not in paths or (controller and controller not in options.split(",")):
            continue
        # A container may see the host's path of its group: then its group is the mount's root.
        path = os.path.relpath(paths[controller], top)
        folder = root / point.lstrip("/")
        yield folder
        if path != "." and not path.startswith(".."):
            inner = folder / path
            yield inner
            yield from (above for above in inner.parents if folder in above.parents)


def _granted(folder: Path) -> float:
    """Return the quota in a group's folder, in processors."""
    try:
        if (folder / "cpu.max").exists():  # version 2: "QUOTA PERIOD" in µs; "max": no quota
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        return int(quota) / int(period) if quota != "max" and int(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
