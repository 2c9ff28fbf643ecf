"""Many photos on several processes and machines: nothing is lost, made twice or half made, and files travel once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import memegen
from memegen import batch
from memegen.base.errors import InputError, UnavailableError
from memegen.base.processes import Processes
from memegen.batch import Sung, cluster, make_batch, make_plan, sing_plan
from memegen.cli import main
from memegen.media.video import open_video
from memegen.provenance.inspection import inspect

SHORT = {"duration": 0.12, "mute": True}


@pytest.fixture
def pupils(tmp_path: Path, small_portrait: np.ndarray) -> Path:
    """A folder with three photos of a face, each a little smaller, and one of nothing."""
    folder = tmp_path / "class"
    folder.mkdir()
    for number in range(3):
        photo = cv2.resize(small_portrait, (172 - 2 * number, 200 - 2 * number), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number}.png"), photo[..., ::-1])
    cv2.imwrite(str(folder / "desk.png"), np.full((200, 200, 3), 90, np.uint8))
    return folder


@pytest.fixture
def own_clip(tmp_path: Path) -> Path:
    """The bundled singer as a clip of one's own, with words beside it."""
    from media import ffmpeg

    from memegen.base.downloads import asset

    path = tmp_path / "mine.mp4"
    ffmpeg("-ss", "0.8", "-t", "0.4", "-i", str(asset("templates/daisy-bell.mp4")), str(path))
    path.with_suffix(".lrc").write_text("[00:00.00]Daisy, Daisy\n")
    return path


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """The width and height of every clip of a folder, by its name."""
    clips = {path.stem: open_video(path) for path in folder.glob("*.mp4")}
    return {name: (clip.width, clip.height) for name, clip in clips.items()}


WANTED = {str(number): (172 - 2 * number, 200 - 2 * number) for number in range(3)}


class Recorder(Executor):
    """Runs tasks in threads, and notes which of them carried files."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(2)
        self.carried: list[bool] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **words: Any) -> Future[Any]:
        self.carried.append(args[1] is not None)
        return self.pool.submit(work, *args, **words)


def test_any_executor_makes_the_same_clips(pupils: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    recorder = Recorder()
    with recorder.pool:
        outcomes = list(
            make_batch(
                [pupils], "daisy-bell", tmp_path / "out", executor=recorder, ahead=3,
                progress=lambda *step: told.append(step), **SHORT,
            )
        )  # fmt: skip
    assert [outcome.status for outcome in outcomes] == ["made"] * 3 + ["failed"]
    assert outcomes[3].message.startswith("No face was found")
    assert sizes(tmp_path / "out") == WANTED
    assert sum(recorder.carried) <= batch.FIRST  # the track; the bundled song is on every worker
    assert told[-1] == ("Photos", 4, 4)
    [alone, *_] = make_batch([pupils / "0.png"], "daisy-bell", tmp_path / "alone", **SHORT)
    frames = [list(open_video(path).frames()) for path in (alone.clip, outcomes[0].clip)]
    assert np.array_equal(*frames)
    report = inspect(outcomes[0].clip)
    assert report.mark
    assert report.template == "daisy-bell"


def test_files_travel_to_a_worker_once(
    pupils: Path, own_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))
    recorder, clips = Recorder(), tmp_path / "out"
    with recorder.pool:
        outcomes = list(
            make_batch([pupils], own_clip, clips, executor=recorder, subtitles=True, audio=own_clip, duration=0.12)
        )
    assert [outcome.status for outcome in outcomes] == ["made"] * 3 + ["failed"]
    assert 1 <= sum(recorder.carried) <= batch.FIRST
    assert open_video(outcomes[0].clip).has_audio
    assert inspect(outcomes[0].clip).metadata.comment
    assert "mine" not in str(inspect(outcomes[0].clip).metadata.comment)  # the name of a clip of one's own is private
    again = Recorder()
    with again.pool:
        list(
            make_batch(
                [pupils / "0.png"], own_clip, clips, executor=again, subtitles=True, audio=own_clip, duration=0.12
            )
        )
    assert not any(again.carried)


def test_a_plan_names_files_and_no_paths(own_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))
    plan, files = make_plan(own_clip, ".mp4", "mesh", {"subtitles": own_clip.with_suffix(".lrc"), **SHORT}, None)
    track, *named = sorted(files, reverse=True)
    assert track.startswith("track-")
    assert sorted(named) == ["song-0.lrc", "song-0.mp4", "subtitles.lrc"]
    assert str(tmp_path) not in repr(plan)
    (key := plan.key)
    own_clip.with_suffix(".lrc").write_text("[00:00.00]Other words\n")
    changed, _ = make_plan(own_clip, ".mp4", "mesh", {"subtitles": own_clip.with_suffix(".lrc"), **SHORT}, None)
    assert changed.key != key
    with pytest.raises(InputError, match="can't be sent to workers: give its name, 'mesh'"):
        make_plan("daisy-bell", ".mp4", memegen.load_animator("mesh"), {}, None)


def test_another_version_is_refused(own_clip: Path) -> None:
    plan, _ = make_plan("daisy-bell", ".mp4", "mesh", SHORT, None)
    with pytest.raises(UnavailableError, match=r"The worker has memegen .*, this machine 9.9: install the same"):
        sing_plan(plan.__class__(**{**vars(plan), "version": "9.9", "key": "x"}), None, b"")


def test_a_worker_that_fails_in_its_own_way(pupils: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Sung:
        raise ZeroDivisionError

    monkeypatch.setattr(batch, "sing_plan", fail)
    with ThreadPoolExecutor(1) as pool:
        (pupils / "2.png").unlink()
        outcomes = list(make_batch([pupils, tmp_path / "gone.png"], "daisy-bell", tmp_path / "out", executor=pool))
    assert {outcome.status for outcome in outcomes} == {"failed"}
    assert (
        outcomes[0].message == "The worker that made it failed (ZeroDivisionError): try this photo again with --resume."
    )
    assert outcomes[-1].message.startswith("There is no photo at")
    assert list((tmp_path / "out").iterdir()) == []


def test_only_some_photos_are_on_their_way(pupils: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(batch, "sing_plan", lambda plan, files, photo: Sung(b"clip", 0.0))
    photos = [pupils / "0.png"] * 50
    with ThreadPoolExecutor(1) as pool:
        recorder = Recorder()
        recorder.pool = pool
        for number, _ in enumerate(make_batch(photos, "daisy-bell", tmp_path / "out", executor=recorder, ahead=8), 1):
            sent.append(len(recorder.carried) - number)
    assert sent[0] == batch.FIRST - 1
    assert max(sent) == 7


# Processes


def test_a_killed_process_is_replaced(pupils: Path, tmp_path: Path) -> None:
    import multiprocessing

    clips = tmp_path / "out"
    killed = []
    with Processes(2) as executor:
        outcomes = []
        for outcome in make_batch([pupils], "daisy-bell", clips, executor=executor, duration=0.2, mute=True):
            outcomes.append(outcome)
            if not killed:
                victim = multiprocessing.active_children()[0]
                os.kill(victim.pid or 0, signal.SIGKILL)
                killed.append(victim.pid)
    assert [outcome.status for outcome in outcomes] == ["made"] * 3 + ["failed"]
    assert sizes(clips) == WANTED
    assert sorted(path.name for path in clips.iterdir()) == [f"{number}.mp4" for number in range(3)]


def test_a_task_that_kills_every_process_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setattr("memegen.base.processes.ATTEMPTS", 2)
    with Processes(1) as executor:
        lost = executor.submit(deadly, log)
        assert lost.exception() is not None
        assert executor.submit(abs, -1).result() == 1
    assert log.read_text() == "xx"


def deadly(log: Path) -> None:
    with log.open("a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_command_with_two_workers(pupils: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = tmp_path / "out"
    words = ["batch", str(pupils), "daisy-bell", "-o", str(clips), "--workers", "2", "--duration", "0.12", "--mute"]
    assert main(words) == 1
    assert "3 of 4 photos sing" in capsys.readouterr().out
    assert sizes(clips) == WANTED
    with pytest.raises(SystemExit):
        main([*words, "--cluster", "tcp://127.0.0.1:1"])
    assert "can't be used together" in capsys.readouterr().err


# A real cluster


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, as on two machines: each has a cache of its own."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("dask")
    address = folder / "scheduler.json"
    plain = dict(os.environ)
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--host", "127.0.0.1"]
    command += ["--port", "0", "--scheduler-file", str(address)]
    with (folder / "log").open("wb") as log:
        processes = [subprocess.Popen(command, stdout=log, stderr=log, env=plain)]
        for number in range(2):
            worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(address)]
            worker += [
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--local-directory",
                str(folder / str(number)),
            ]
            env = {**plain, "MEMEGEN_CACHE": str(folder / f"cache-{number}")}
            processes.append(subprocess.Popen(worker, stdout=log, stderr=log, env=env))
        try:
            while not address.is_file():
                assert processes[0].poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
            yield json.loads(address.read_text())["address"], processes
        finally:
            for process in processes:
                process.kill()
                process.wait()


def test_a_killed_worker_of_a_cluster_loses_nothing(
    dask: tuple[str, list[subprocess.Popen[bytes]]], pupils: Path, own_clip: Path, tmp_path: Path
) -> None:
    address, (_, first, _) = dask
    clips = tmp_path / "out"
    with cluster(address) as executor:
        executor._client.wait_for_workers(2, timeout=60)
        outcomes = []
        for outcome in make_batch([pupils], own_clip, clips, executor=executor, duration=0.2, mute=True):
            outcomes.append(outcome)
            if len(outcomes) == 1:
                first.kill()
    assert first.wait() == -signal.SIGKILL
    assert [outcome.status for outcome in outcomes] == ["made"] * 3 + ["failed"]
    assert outcomes[3].message.startswith("No face was found")
    assert sizes(clips) == WANTED
    assert sorted(path.name for path in clips.iterdir()) == [f"{number}.mp4" for number in range(3)]


def test_the_command_on_a_cluster(
    dask: tuple[str, list[subprocess.Popen[bytes]]],
    pupils: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "PATIENCE", "1s")
    words = ["batch", str(pupils), "daisy-bell", "-o", str(tmp_path / "out"), "--duration", "0.12", "--mute"]
    assert main([*words, "--cluster", dask[0]]) == 1
    assert "3 of 4 photos sing" in capsys.readouterr().out
    assert main([*words, "--cluster", "tcp://127.0.0.1:9"]) == 1
    assert "No Dask scheduler answers at tcp://127.0.0.1:9: start one" in capsys.readouterr().err


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UnavailableError, match=r'pip install "memegen-sings\[cluster\]"'), cluster("tcp://a:1"):
        pass
