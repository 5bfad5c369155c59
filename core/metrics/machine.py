"""The server machine: processor, memory, disk and GPU memory; None if the system does not report it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_BYTES_PER_KB = 1024


@dataclass(frozen=True)
class Cpu:
    """Processor time of the machine since boot, in ticks of all cores."""

    busy: int
    total: int


@dataclass(frozen=True)
class Capacity:
    """Used and total bytes of a resource."""

    used_bytes: int
    total_bytes: int

    @property
    def share(self) -> float:
        return self.used_bytes / self.total_bytes if self.total_bytes else 0.0


@dataclass(frozen=True)
class Machine:
    """One reading. `cpu_share` is for all cores since the previous reading, `load` the one-minute load average."""

    cores: int
    cpu: Cpu | None
    cpu_share: float | None
    load: float | None
    process_bytes: int | None
    process_peak_bytes: int | None
    memory: Capacity | None
    disk: Capacity
    gpu: Capacity | None


def read_machine(
    folder: Path, previous: Machine | None = None, gpu: Callable[[], Capacity | None] = lambda: None, proc: Path = PROC
) -> Machine:
    """Take a reading; `folder` is the data folder, `previous` the last reading, `gpu` returns the GPU's memory."""
    cpu, process, memory = _cpu(proc / "stat"), _kilobytes(proc / "self/status"), _kilobytes(proc / "meminfo")
    total, available = memory.get("MemTotal"), memory.get("MemAvailable")
    disk = shutil.disk_usage(_existing(folder))
    return Machine(
        cores=os.cpu_count() or 1,
        cpu=cpu,
        cpu_share=_share(previous.cpu if previous else None, cpu),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        process_bytes=process.get("VmRSS"),
        process_peak_bytes=process.get("VmHWM"),
        memory=None if total is None or available is None else Capacity(total - available, total),
        disk=Capacity(disk.total - disk.free, disk.total),
        gpu=gpu(),
    )


def _cpu(path: Path) -> Cpu | None:
    """From the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice."""
    ticks = [int(word) for word in _text(path).partition("\n")[0].split()[1:9]]
    return Cpu(sum(ticks) - sum(ticks[3:5]), sum(ticks)) if len(ticks) >= 5 else None


def _share(before: Cpu | None, after: Cpu | None) -> float | None:
    if before is None or after is None or after.total <= before.total:
        return None
    return (after.busy - before.busy) / (after.total - before.total)


def _kilobytes(path: Path) -> dict[str, int]:
    """The lines `Name:  123 kB` of a file, in bytes."""
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0].rstrip(":"): int(row[1]) * _BYTES_PER_KB for row in rows if len(row) == 3 and row[2] == "kB"}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""  # no such file on this system, or not readable


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
