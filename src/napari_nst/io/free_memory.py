"""The memory that is free for this process, within the limits of containers and batch jobs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import psutil

OWN_GROUP, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
"""Where Linux says which control groups this process is in, and which memory they may take."""


def free_host_memory() -> int:
    """Return the bytes of the host's memory that are left for this process."""
    return round(min(psutil.virtual_memory().available, _left_of_limit()))


@dataclass(frozen=True)
class _Files:
    """The files that say what a control group may take and takes, in bytes."""

    limits: tuple[str, ...]
    used: str
    reclaimable: str  # the line of memory.stat with the page cache that is given up first

    def left_of(self, group: Path) -> float:
        """Return what the limit of a group leaves; infinite without a limit."""
        try:
            limits = [(group / name).read_text().strip() for name in self.limits]
            used = int((group / self.used).read_text())
            statistics = dict(
                line.split(maxsplit=1) for line in (group / "memory.stat").read_text().splitlines()
            )
            cache = int(statistics[self.reclaimable])
            least = min((int(limit) for limit in limits if limit != "max"), default=math.inf)
        except (OSError, ValueError, KeyError):
            return math.inf  # no such group, or another system
        return max(0, least - (used - cache))


_VERSION_1 = _Files(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = _Files(("memory.max", "memory.high"), "memory.current", "inactive_file")


def _left_of_limit() -> float:
    """Return what the limits of containers and batch jobs leave; infinite without a limit."""
    try:
        own = OWN_GROUP.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return math.inf
    left = math.inf
    for _, controllers, path in (line.split(":", 2) for line in own):
        if controllers and "memory" not in controllers.split(","):
            continue
        is_version_1 = bool(controllers)
        root = GROUPS / "memory" if is_version_1 else GROUPS
        files = _VERSION_1 if is_version_1 else _VERSION_2
        # In a container, the path may be that of the host, and the root the container's own group.
        group = root / path.lstrip("/")
        while group != root:
            left = min(left, files.left_of(group))
            group = group.parent
        left = min(left, files.left_of(root))
    return left
