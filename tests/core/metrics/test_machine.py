from __future__ import annotations

from pathlib import Path

from core.metrics.machine import Capacity, Cpu, read_machine


def proc(folder: Path, busy: int, idle: int) -> Path:
    """A /proc of two cores."""
    (folder / "self").mkdir(parents=True, exist_ok=True)
    (folder / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 9 9\ncpu0 1 1 1 1 1 1 1 1 0 0\nbtime 1\n")
    (folder / "self" / "status").write_text("Name:\tpython\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\nThreads:\t4\n")
    (folder / "meminfo").write_text("MemTotal:  8000 kB\nMemFree:  1 kB\nMemAvailable:  6000 kB\nHugePages_Total: 0\n")
    return folder


def test_a_reading_says_what_is_in_use(tmp_path: Path) -> None:
    first = read_machine(tmp_path, proc=proc(tmp_path / "proc", 100, 900), gpu=lambda: Capacity(1, 4))
    assert (first.cpu, first.cpu_share) == (Cpu(100, 1000), None)
    assert (first.process_bytes, first.process_peak_bytes) == (1_024_000, 2_048_000)
    assert first.memory == Capacity(2_048_000, 8_192_000)
    assert first.memory.share == 0.25
    assert first.gpu == Capacity(1, 4)
    assert 0 < first.disk.used_bytes < first.disk.total_bytes
    assert first.cores >= 1


def test_the_share_of_the_processor_is_that_since_the_reading_before(tmp_path: Path) -> None:
    first = read_machine(tmp_path, proc=proc(tmp_path / "proc", 100, 900))
    second = read_machine(tmp_path, first, proc=proc(tmp_path / "proc", 175, 925))
    assert second.cpu_share == 0.75
    assert read_machine(tmp_path, second, proc=tmp_path / "proc").cpu_share is None


def test_where_a_system_does_not_say_it_is_none(tmp_path: Path) -> None:
    bare = read_machine(tmp_path / "not" / "there" / "yet", proc=tmp_path / "no-proc")
    assert (bare.cpu, bare.cpu_share, bare.process_bytes, bare.memory, bare.gpu) == (None,) * 5
    assert bare.disk.total_bytes > 0
    assert Capacity(0, 0).share == 0.0
