"""Files of a hub come whole, checked and resumable into the cache, whatever the network does meanwhile."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

from core.cli.progress_bar import describe
from core.embedding.download import fetch
from core.embedding.hub import RequiredFile, cached_path, is_offered
from core.errors import ModelUnavailable
from core.records.jobs import Progress
from core.settings import PROJECT
from tests.conftest import PATIENCE_S
from tests.fakes.hub import FakeHub, Refusal

REPOSITORY = "someone/model"
WEIGHTS = RequiredFile(REPOSITORY, ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"))
DATA = np.random.default_rng(0).bytes(3_000_000)


@pytest.fixture(autouse=True)
def weights(hub: FakeHub) -> None:
    """The hub offers DATA as a model's weights."""
    hub.add(REPOSITORY, "open_clip_model.safetensors", DATA)


def partials() -> list[Path]:
    return list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete"))


def test_a_file_arrives_whole_and_huggingface_hub_itself_finds_it(hub: FakeHub) -> None:
    (path,) = fetch("m", [WEIGHTS])
    assert path.read_bytes() == DATA
    found = huggingface_hub.hf_hub_download(
        REPOSITORY, path.name, cache_dir=constants.HF_HUB_CACHE, local_files_only=True
    )
    assert Path(found) == path
    assert partials() == []
    assert huggingface_hub.scan_cache_dir(constants.HF_HUB_CACHE).warnings == []
    assert [(r.method, r.server) for r in hub.requests] == [("HEAD", "hub"), ("GET", "hub"), ("GET", "storage")]


def test_cached_files_are_not_requested_again(hub: FakeHub) -> None:
    fetch("m", [WEIGHTS])
    hub.requests.clear()
    fetch("m", [WEIGHTS])
    assert hub.requests == []


def test_a_connection_cut_at_half_goes_on_where_it_stopped(hub: FakeHub) -> None:
    hub.fail("GET", "cut", "cut")
    (path,) = fetch("m", [WEIGHTS])
    assert path.read_bytes() == DATA
    assert hub.offsets() == [0, 1_500_000, 2_250_000]


def test_a_server_that_does_not_know_ranges_sends_it_all_again(hub: FakeHub) -> None:
    hub.fail("GET", "cut", "whole")
    (path,) = fetch("m", [WEIGHTS])
    assert path.read_bytes() == DATA


def test_a_killed_download_is_resumed_by_the_next_process(hub: FakeHub) -> None:
    hub.fail("GET", "stall")
    imports = "from core.embedding.download import fetch; from core.embedding.hub import RequiredFile"
    code = f"{imports}; fetch('m', [RequiredFile({WEIGHTS.repository!r}, {WEIGHTS.names!r})])"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": constants.HF_HUB_CACHE, "NO_PROXY": "127.0.0.1"},
    )
    try:
        while not any(path.stat().st_size == 1_500_000 for path in partials()):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (path,) = fetch("m", [WEIGHTS])
    assert path.read_bytes() == DATA
    assert hub.offsets() == [0, 1_500_000]


def test_a_slow_connection_is_waited_for_and_reports_progress(hub: FakeHub) -> None:
    hub.fail("GET", "drip")
    reported: list[Progress] = []
    fetch("m", [WEIGHTS], reported.append)
    assert {p.phase for p in reported} == {"download model"}
    assert [p.done for p in reported] == [0, 1, 2, 3]
    assert all(p.total == 3 for p in reported)
    assert reported[1].rate > 0
    assert reported[1].remaining_s is not None
    assert reported[1].remaining_s > 0
    assert " MB/s" in describe(reported[1])


def test_silence_ends_a_download_and_keeps_what_came(hub: FakeHub) -> None:
    hub.fail("GET", "stall", *["silent"] * 3)
    began = time.monotonic()
    with pytest.raises(ModelUnavailable, match=r"nothing arrived for 1.5 s; 1.5 of 3.0 MB are kept.*run it again"):
        fetch("ViT-B-32/openai", [WEIGHTS])
    assert time.monotonic() - began < 4 * PATIENCE_S + 5
    (path,) = fetch("m", [WEIGHTS])
    assert path.read_bytes() == DATA
    assert hub.offsets()[-1] == 1_500_000


def test_bytes_that_are_not_those_announced_are_removed(hub: FakeHub) -> None:
    hub.fail("GET", "wrong")
    expected = hashlib.sha256(DATA).hexdigest()[:13]
    with pytest.raises(ModelUnavailable, match=f"instead of sha256:{expected}, so it was removed; nothing was kept"):
        fetch("m", [WEIGHTS])
    assert partials() == []
    assert cached_path(WEIGHTS) is None
    (path,) = fetch("m", [WEIGHTS])
    assert path.read_bytes() == DATA


def test_a_file_shorter_than_announced_is_given_up_and_begun_anew(hub: FakeHub) -> None:
    fetch("m", [WEIGHTS])
    (blob,) = Path(constants.HF_HUB_CACHE).rglob("blobs/*")
    shutil.rmtree(blob.parents[1] / "snapshots")
    blob.rename(blob.with_name(f"{blob.name}.incomplete")).write_bytes(DATA[:10])
    hub.fail("GET", Refusal(416))
    with pytest.raises(ModelUnavailable, match="status 416; nothing was kept"):
        fetch("m", [WEIGHTS])
    fetch("m", [WEIGHTS])
    assert hub.offsets()[-2:] == [10, 0]


@pytest.mark.parametrize("refusal", [Refusal(500), Refusal(503), Refusal(429), Refusal(429, {"Retry-After": "0"})])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_busy_hub_is_retried(hub: FakeHub, method: str, refusal: Refusal) -> None:
    hub.fail(method, refusal, refusal)
    assert fetch("m", [WEIGHTS])[0].read_bytes() == DATA


@pytest.mark.parametrize(
    "headers", [{"Retry-After": "3600"}, {"RateLimit": '"resolvers";r=0;t=3600'}], ids=["retry-after", "ratelimit"]
)
def test_a_hub_that_wants_an_hour_is_not_waited_for(hub: FakeHub, headers: dict[str, str]) -> None:
    hub.fail("GET", Refusal(429, headers))
    with pytest.raises(ModelUnavailable, match="answers with status 429; nothing was kept; try again later"):
        fetch("m", [WEIGHTS])


def test_a_persistent_error_is_raised(hub: FakeHub) -> None:
    hub.fail("HEAD", *[Refusal(502)] * 3)
    with pytest.raises(ModelUnavailable, match="status 502"):
        fetch("m", [WEIGHTS])
    assert len(hub.requests) == 3


@pytest.mark.parametrize(
    ("need", "message"),
    [
        (
            RequiredFile(REPOSITORY, ("a.bin", "b.bin")),
            "someone/model holds no a.bin or b.bin; nothing was kept; choose another",
        ),
        (RequiredFile("no/body", ("a.bin",)), "no repository no/body, or it is not open to everyone .*HF_TOKEN"),
        (RequiredFile("not a name", ("a.bin",)), "no repository not a name"),
    ],
)
def test_what_the_hub_does_not_have_is_said(hub: FakeHub, need: RequiredFile, message: str) -> None:
    with pytest.raises(ModelUnavailable, match=f"^m cannot be downloaded from {hub.endpoint}: .*{message}"):
        fetch("m", [need])


def test_the_second_name_is_taken_where_the_first_is_missing(hub: FakeHub) -> None:
    hub.add("old/model", "open_clip_pytorch_model.bin", DATA)
    (path,) = fetch("m", [RequiredFile("old/model", WEIGHTS.names)])
    assert path.name == "open_clip_pytorch_model.bin"


def test_a_missing_optional_file_is_requested_only_once(hub: FakeHub) -> None:
    optional = RequiredFile(REPOSITORY, ("vocab.txt",), optional=True)
    assert fetch("m", [WEIGHTS, optional])[1:] == []
    hub.requests.clear()
    fetch("m", [WEIGHTS, optional])
    assert hub.requests == []


def test_files_of_a_repository_that_moved_on_are_all_of_its_new_commit(hub: FakeHub) -> None:
    config = RequiredFile(REPOSITORY, ("open_clip_config.json",))
    hub.add(REPOSITORY, "open_clip_config.json", b"{}", large=False)
    fetch("m", [config])
    hub.commit = "b" * 40
    folders = {path.parent.name for path in fetch("m", [config, WEIGHTS])}
    assert folders == {"b" * 40}


def test_an_unreachable_hub_is_reported_at_once(hub: FakeHub) -> None:
    hub.close()
    began = time.monotonic()
    with pytest.raises(
        ModelUnavailable, match=r"cannot be reached \(.*refused\); nothing was kept; connect to the network"
    ):
        fetch("m", [WEIGHTS])
    assert time.monotonic() - began < 1


def test_offline_mode_is_respected(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match=r"HF_HUB_OFFLINE is set, .*; unset HF_HUB_OFFLINE"):
        fetch("m", [WEIGHTS])
    assert hub.requests == []


@pytest.mark.parametrize("etag", ["../../../evil", "", ".."])
def test_a_server_does_not_choose_where_its_file_goes(hub: FakeHub, etag: str) -> None:
    hub.add("evil/model", "w.bin", DATA, etag=etag or "\t")
    with pytest.raises(ModelUnavailable, match="no Hugging Face hub"):
        fetch("m", [RequiredFile("evil/model", ("w.bin",))])


def test_too_little_disk_space_is_reported_before_the_download(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000))
    with pytest.raises(ModelUnavailable, match=r"the disk is full \(1 MB are free\); nothing was kept; make room"):
        fetch("m", [WEIGHTS])


def test_a_disk_that_fills_up_during_the_download_is_told_with_what_is_kept(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(meter: object, received: int) -> None:
        if received > 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("core.embedding.download._ProgressMeter.show", fill)
    expected = (
        rf"{constants.HF_HUB_CACHE}: the disk is full; [\d.]+ of [\d.]+ MB are kept, to go on from there; make room"
    )
    with pytest.raises(ModelUnavailable, match=expected):
        fetch("m", [WEIGHTS])


def test_a_token_goes_to_the_hub_and_never_to_its_storage(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.fail("GET", "cut", Refusal(403))
    with pytest.raises(ModelUnavailable, match="status 403") as caught:
        fetch("m", [WEIGHTS])
    assert {(r.server, r.signed_in) for r in hub.requests} == {("hub", True), ("storage", False)}
    assert "hf_secret" not in str(caught.value)


def test_where_links_are_not_allowed_the_file_itself_gets_the_name(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    (path,) = fetch("m", [WEIGHTS])
    assert path.read_bytes() == DATA
    assert not path.is_symlink()


def test_two_who_want_the_same_file_download_it_once(hub: FakeHub) -> None:
    hub.fail("GET", "drip", "drip")
    threads = [threading.Thread(target=fetch, args=("m", [WEIGHTS])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cached_path(WEIGHTS) is not None
    assert hub.offsets() == [0]


def test_the_question_whether_a_hub_offers_a_file_is_answered_in_time(hub: FakeHub) -> None:
    assert is_offered(WEIGHTS, 5.0)
    assert not is_offered(RequiredFile(REPOSITORY, ("a.bin",)), 5.0)
    hub.fail("HEAD", "silent")
    began = time.monotonic()
    assert not is_offered(WEIGHTS, 0.2)
    assert time.monotonic() - began < PATIENCE_S
