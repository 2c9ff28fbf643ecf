"""Downloads against a server that misbehaves in each of the ways the internet does."""

import errno
import functools
import hashlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gdown
import pytest
import requests
import urllib3
from http_server import QUOTA_PAGE, HttpServer

from memegen.base import downloads
from memegen.base.downloads import Mirror, asset, cache_dir, cache_file, fetch, fetch_url
from memegen.base.errors import DownloadError, InputError, OutputError, UnavailableError
from memegen.base.progress import ProgressBars, Stage

BODY = bytes((index * 7 + index // 251) % 256 for index in range(400_000))
SHA = hashlib.sha256(BODY).hexdigest()
DRIVE = "https://drive.google.com/uc?id=1_v_xW1V52gZCZnXgh1Ap_gwA9YVIzUnS"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def get(*mirrors: Mirror, name: str = "file.bin") -> Path:
    return fetch(cache_file("things", name), mirrors)


def leftovers(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "things").glob("*.part*"))


def kept_ranges() -> list[str]:
    """The ranges that would be asked for to complete the parts kept so far."""
    return [f"bytes={path.stat().st_size}-" for path in (cache_dir() / "things").glob("*.part")]


def refusal(*mirrors: Mirror) -> str:
    with pytest.raises(DownloadError) as caught:
        get(*mirrors)
    assert not (cache_dir() / "things" / "file.bin").exists()
    return str(caught.value)


# What goes well


def test_download_is_whole_and_leaves_nothing_beside_it(server: HttpServer, cache: Path) -> None:
    path = get(Mirror(server.add("/a", BODY), SHA))
    assert path == cache / "things" / "file.bin"
    assert path.read_bytes() == BODY
    assert leftovers(cache) == []


def test_cached_file_makes_no_request(server: HttpServer) -> None:
    mirror = Mirror(server.add("/a", BODY), SHA)
    first = get(mirror)
    server.requests.clear()
    assert get(mirror) == first
    assert server.requests == []


def test_cached_file_in_a_folder_that_cannot_be_written_is_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "things").mkdir(parents=True)
    (cache / "things" / "file.bin").write_bytes(BODY)

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(os, "open", refuse)
    assert get(Mirror("http://127.0.0.1:1/never", SHA)).read_bytes() == BODY


def test_beginning_of_a_checksum_is_enough(server: HttpServer) -> None:
    assert get(Mirror(server.add("/a", BODY), SHA[:16])).read_bytes() == BODY


def test_unpublished_checksum_is_not_asked_for(server: HttpServer) -> None:
    assert get(Mirror(server.add("/a", BODY))).read_bytes() == BODY


@pytest.mark.parametrize("sha256", ["abc", SHA[:15], SHA.upper(), SHA + "0", ""])
def test_mirror_refuses_a_checksum_that_checks_nothing(sha256: str) -> None:
    with pytest.raises(ValueError, match="16 to 64"):
        Mirror("https://example.org/a", sha256)


def test_redirects_are_followed(server: HttpServer) -> None:
    goal = server.add("/goal", BODY)
    url = server.add("/a", status=302, headers={"Location": goal})
    assert get(Mirror(url, SHA)).read_bytes() == BODY
    assert [seen.path for seen in server.requests] == ["/a", "/goal"]


def test_next_mirror_may_hold_another_cut(server: HttpServer) -> None:
    other = BODY[::-1]
    gone = Mirror(server.url + "/gone", SHA)
    good = Mirror(server.add("/b", other), hashlib.sha256(other).hexdigest())
    assert get(gone, good).read_bytes() == other


def test_progress_is_told_in_megabytes_and_drawn_only_when_asked(
    server: HttpServer, capfd: pytest.CaptureFixture[str]
) -> None:
    body = BODY * 6  # 2.4 MB
    mirror = Mirror(server.add("/a", body), hashlib.sha256(body).hexdigest())
    told: list[tuple[str, int, int]] = []
    units = set()

    def tell(stage: str, done: int, total: int) -> None:
        told.append((stage, done, total))
        units.add(Stage.unit_of(stage))

    fetch(cache_file("things", "told.bin"), [mirror], progress=tell)
    assert list(dict.fromkeys(told)) == [("Downloading told.bin", done, 3) for done in range(4)]
    assert units == {"MB"}
    assert capfd.readouterr() == ("", "")
    with ProgressBars() as bars:
        fetch(cache_file("things", "loud.bin"), [mirror], progress=bars)
    loud = capfd.readouterr()
    assert "Downloading loud.bin: 100%" in loud.err
    assert "3/3" in loud.err
    assert loud.out == ""


def test_progress_of_a_file_of_unknown_size_ends_whole(server: HttpServer) -> None:
    told: list[tuple[int, int]] = []
    url = server.add("/a", BODY * 6, length=False)
    fetch_url(url, progress=lambda _, done, total: told.append((done, total)))
    assert list(dict.fromkeys(told)) == [(0, 1), (1, 2), (2, 3), (3, 3)]


@pytest.mark.parametrize("error", [RuntimeError, OSError, KeyboardInterrupt])
def test_progress_may_end_the_download(server: HttpServer, cache: Path, error: type[BaseException]) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done:
            raise error("stopped by the user")

    body = BODY * 6
    mirror = Mirror(server.add("/a", body), hashlib.sha256(body).hexdigest())
    with pytest.raises(error, match="stopped by the user"):
        fetch(cache_file("things", "file.bin"), [mirror, mirror], progress=stop)
    assert len(server.requests) == 1
    kept = kept_ranges()
    assert get(mirror).read_bytes() == body
    assert server.ranges[1:] == kept


# Resuming


def test_cut_connection_is_resumed_at_once(server: HttpServer, cache: Path) -> None:
    path = get(Mirror(server.add("/a", BODY, cut_after=150_000, cuts=1), SHA))
    assert path.read_bytes() == BODY
    first, second = server.requests
    assert "Range" not in first.headers
    start = re.fullmatch(r"bytes=(\d+)-", second.headers["Range"])
    assert start
    assert 0 < int(start[1]) <= 150_000
    assert leftovers(cache) == []


def test_what_many_cuts_left_is_kept_for_the_next_run(server: HttpServer) -> None:
    mirror = Mirror(server.add("/a", BODY, cut_after=70_000), SHA)
    message = refusal(mirror)
    assert len(server.requests) == downloads.ATTEMPTS
    assert re.search(r"cut after 0\.2 of 0\.4 MB; what came is kept", message)
    server.resources["/a"].cuts = 0
    server.requests.clear()
    kept = kept_ranges()
    assert get(mirror).read_bytes() == BODY
    assert server.ranges == kept


def test_silent_server_in_mid_file_counts_as_a_cut(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT", (30.0, 4.0))  # long enough for a busy machine's other answers
    mirror = Mirror(server.add("/a", BODY, cut_after=150_000, cuts=1, stall=True), SHA)
    assert get(mirror).read_bytes() == BODY
    assert len(server.requests) == 2


def test_server_that_ignores_range_starts_over(server: HttpServer) -> None:
    path = get(Mirror(server.add("/a", BODY, cut_after=150_000, cuts=1, ranges=False), SHA))
    assert path.read_bytes() == BODY
    assert server.ranges[1] is not None


def test_server_that_ignores_range_and_always_cuts_is_left(server: HttpServer) -> None:
    message = refusal(Mirror(server.add("/a", BODY, cut_after=150_000, ranges=False), SHA))
    assert "cut after 0.1 of 0.4 MB" in message
    assert len(server.requests) == 2


def test_stale_part_that_fails_the_checksum_gets_one_fresh_start(server: HttpServer) -> None:
    mirror = Mirror(server.add("/a", BODY[::-1], cut_after=70_000), SHA)
    refusal(mirror)
    server.add("/a", BODY)
    server.requests.clear()
    kept = kept_ranges()
    assert get(mirror).read_bytes() == BODY
    assert server.ranges == [*kept, None]


def test_part_that_is_already_whole_is_only_checked(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = Mirror(server.add("/a", BODY), SHA)
    with monkeypatch.context() as patch:  # the process ends just before the check
        patch.setattr(downloads, "_check", lambda part: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            get(mirror)
    assert get(mirror).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={len(BODY)}-"]


def test_part_longer_than_the_file_is_started_over(server: HttpServer) -> None:
    mirror = Mirror(server.add("/a", BODY, cut_after=70_000), SHA)
    refusal(mirror)
    [part] = (cache_dir() / "things").glob("*.part")
    part.write_bytes(BODY + b"and more")
    server.add("/a", BODY)
    assert get(mirror).read_bytes() == BODY


def test_wrong_range_in_the_answer_starts_over(server: HttpServer) -> None:
    mirror = Mirror(server.add("/a", BODY, cut_after=70_000), SHA)
    refusal(mirror)
    server.add("/a", BODY, status=206, headers={"Content-Range": "bytes 5-9/10"})
    server.requests.clear()
    assert "refused (HTTP 206)" in refusal(mirror)
    assert [bool(asked) for asked in server.ranges] == [True, False]


def test_error_page_does_not_cost_the_part(server: HttpServer) -> None:
    mirror = Mirror(server.add("/a", BODY, cut_after=70_000), SHA)
    refusal(mirror)
    first = kept_ranges()
    server.add("/a", QUOTA_PAGE, headers={"Content-Type": "text/html"}, ranges=False)
    assert "daily limit" in refusal(mirror)
    server.add("/a", b"busy", status=503)
    assert "HTTP 503" in refusal(mirror)
    server.add("/a", BODY)
    server.requests.clear()
    kept = kept_ranges()
    assert get(mirror).read_bytes() == BODY
    assert server.ranges == kept == first


def test_mirrors_never_share_a_part(server: HttpServer, cache: Path) -> None:
    other = BODY[::-1]
    first = Mirror(server.add("/a", BODY, cut_after=70_000), SHA)
    second = Mirror(server.add("/b", other, cut_after=70_000), hashlib.sha256(other).hexdigest())
    refusal(first, second)
    assert len([name for name in leftovers(cache) if name.endswith(".part")]) == 2
    server.resources["/a"].status = 404
    server.resources["/b"].cuts = 0
    server.requests.clear()
    kept = kept_ranges()
    assert get(first, second).read_bytes() == other
    assert server.ranges == kept
    assert leftovers(cache) == []


def test_clean_up_spares_the_parts_of_a_file_with_a_longer_name(server: HttpServer, cache: Path) -> None:
    with pytest.raises(DownloadError):
        get(Mirror(server.add("/a", BODY, cut_after=70_000), SHA), name="vox.pth.tar")
    kept = leftovers(cache)
    assert kept
    get(Mirror(server.add("/b", BODY), SHA), name="vox")
    assert leftovers(cache) == kept


# What goes wrong, and what is said


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "password"),
        (403, "this file is not public (HTTP 403)"),
        (404, "the file is not there (HTTP 404)"),
        (410, "the file was removed (HTTP 410)"),
        (429, "too many requests at the moment, try again later (HTTP 429)"),
        (418, "the server refused (HTTP 418)"),
        (500, "the server has a problem, try again later (HTTP 500)"),
    ],
)
def test_status_is_told_in_plain_words(server: HttpServer, status: int, words: str) -> None:
    url = server.add("/a", b"<html>sorry</html>", status=status)
    assert f"{url}: " in (message := refusal(Mirror(url, SHA)))
    assert words in message


def test_failure_lists_every_mirror_and_says_what_to_do(server: HttpServer, cache: Path) -> None:
    gone, busy = Mirror(server.url + "/gone", SHA), Mirror(server.add("/busy", status=429), SHA)
    lines = refusal(gone, busy).splitlines()
    said = "file.bin could not be downloaded: check the connection and try again, or use something else."
    assert lines[:2] == [said, "What was tried:"]
    assert lines[2].startswith(f"  - {gone.url}: the file is not there")
    assert lines[3].startswith(f"  - {busy.url}: too many requests")
    assert str(cache / "things" / "file.bin") in lines[4]
    assert "path instead of the name" in lines[4]
    assert "MEMEGEN_CACHE" in lines[4]


def test_file_put_where_the_message_says_is_used(server: HttpServer) -> None:
    mirror = Mirror(server.url + "/gone", SHA)
    place = re.search(r"save it as (\S+),", refusal(mirror))
    assert place
    Path(place[1]).write_bytes(BODY)
    assert get(mirror).read_bytes() == BODY


def test_corrupt_byte_is_found_and_the_next_mirror_asked(server: HttpServer, cache: Path) -> None:
    corrupt = BODY[:1000] + bytes([BODY[1000] ^ 1]) + BODY[1001:]
    bad, good = Mirror(server.add("/bad", corrupt), SHA), Mirror(server.add("/good", BODY), SHA)
    message = refusal(bad)
    assert f"not the expected one (checksum {hashlib.sha256(corrupt).hexdigest()[:16]}, expected {SHA[:16]})" in message
    assert leftovers(cache) == []
    assert len(server.requests) == 1
    assert get(bad, good).read_bytes() == BODY


def test_quota_page_is_recognised_before_the_checksum(server: HttpServer) -> None:
    message = refusal(Mirror(server.add("/a", QUOTA_PAGE, headers={"Content-Type": "text/html; charset=utf-8"}), SHA))
    assert "Google Drive's daily limit for this file was reached, try again tomorrow" in message
    assert "checksum" not in message


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><p>hello", b"\xef\xbb\xbf\n<html lang=en>", b"  <HEAD>"])
def test_page_called_a_file_is_recognised(server: HttpServer, page: bytes) -> None:
    url = server.add("/a", page, headers={"Content-Type": "video/mp4"})
    assert "a web page came instead of the file" in refusal(Mirror(url, SHA))


def test_empty_file_is_refused(server: HttpServer) -> None:
    assert "the file there is empty" in refusal(Mirror(server.add("/a", b""), SHA))


def test_no_network() -> None:
    assert "is this machine online?" in refusal(Mirror("http://127.0.0.1:1/a", SHA))


def test_server_that_says_nothing(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT", (30.0, 0.2))
    assert "the server does not answer" in refusal(Mirror(server.add("/a", hang=True), SHA))


def test_redirects_in_a_circle(server: HttpServer) -> None:
    url = server.add("/a", status=302, headers={"Location": "/a"})
    assert "too many redirects" in refusal(Mirror(url, SHA))


def test_redirect_to_a_local_file_is_not_followed(server: HttpServer) -> None:
    url = server.add("/a", status=302, headers={"Location": "file:///etc/passwd"})
    assert "not a usable address" in refusal(Mirror(url, SHA))


def test_full_disk_is_said_and_the_part_kept(server: HttpServer, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    mirror = Mirror(server.add("/a", BODY), SHA)

    def fill(part: Any, done: int, total: int | None) -> None:
        if done:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(downloads._Part, "arrived", fill)
        message = refusal(mirror, Mirror(server.url + "/never", SHA))
    assert f"the disk of {cache / 'things'} is full. Make room, or set MEMEGEN_CACHE to another folder" in message
    assert "what came so far is kept" in message
    assert len(server.requests) == 1  # no other mirror helps against a full disk
    assert get(mirror).read_bytes() == BODY
    assert server.ranges == [None, "bytes=65536-"]


def test_cache_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError, match=r"can't be kept in .*\(Not a directory\): set MEMEGEN_CACHE to another"):
        get(Mirror("http://127.0.0.1:1/never", SHA))


@pytest.mark.skipif(sys.platform == "win32", reason="permissions work otherwise there")
def test_read_only_cache_folder(cache: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    cache.mkdir(mode=0o500)
    with pytest.raises(DownloadError, match=r"Permission denied\): set MEMEGEN_CACHE"):
        get(Mirror("http://127.0.0.1:1/never", SHA))


def test_read_only_file_system(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DownloadError, match=r"Read-only file system\): set MEMEGEN_CACHE"):
        get(Mirror(server.add("/a", BODY), SHA))
    assert server.requests == []


# Names and folders


@pytest.mark.parametrize("name", ["../../escape", "..", "/etc/passwd", "..\\..\\escape", "a\0b", ".hidden", ""])
def test_no_name_leaves_the_cache(server: HttpServer, cache: Path, name: str) -> None:
    path = fetch(cache_file("../things", name), [Mirror(server.add("/a", BODY), SHA)])
    assert path.parent == cache / "things"
    assert path.is_file()
    assert not path.name.startswith(".")


def test_cache_dir_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMEGEN_CACHE", "here")
    assert cache_dir() == tmp_path / "here"
    monkeypatch.setenv("MEMEGEN_CACHE", "~/there")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "there"
    monkeypatch.setenv("MEMEGEN_CACHE", "")
    assert cache_dir().name == "memegen"


@pytest.mark.parametrize("found", [RuntimeError("could not determine the home directory"), Path("~/.cache/memegen")])
def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch, found: Exception | Path) -> None:
    def homeless(_: str) -> Path:
        if isinstance(found, Path):
            return found
        raise found

    monkeypatch.setattr("platformdirs.user_cache_path", homeless)
    monkeypatch.delenv("MEMEGEN_CACHE")
    with pytest.raises(OutputError, match="no home folder for the cache: name a folder in MEMEGEN_CACHE"):
        cache_dir()


def test_a_target_outside_the_cache_is_not_moved_by_its_variable(server: HttpServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"save it as .*weights\.pth\.$"):
        fetch(tmp_path / "weights.pth", [Mirror(server.url + "/gone", SHA)])
    (tmp_path / "taken").touch()
    with pytest.raises(DownloadError, match=r"can't be kept in .*\(File exists\): check that folder\.$"):
        fetch(tmp_path / "taken" / "weights.pth", [Mirror(server.url + "/gone", SHA)])


def test_assets_are_found() -> None:
    assert asset("portrait.jpg").is_file()
    assert asset("models/face_landmark.tflite").is_file()


def test_missing_asset_says_reinstall() -> None:
    with pytest.raises(UnavailableError, match=r"templates/nothing\.mp4 .* reinstall memegen"):
        asset("templates/nothing.mp4")


# The user's own addresses


def test_own_address_is_downloaded_once_and_keeps_its_extension(server: HttpServer, cache: Path) -> None:
    url = server.add("/my%20clip.MP4", BODY)
    path = fetch_url(url)
    assert path.read_bytes() == BODY
    assert re.fullmatch(r"my_clip-[0-9a-f]{12}\.mp4", path.name)
    assert path.parent == cache / "downloads"
    assert fetch_url(f"  {url}#t=3\n") == path
    assert len(server.requests) == 1


def test_addresses_that_differ_only_in_the_query_differ_in_the_cache(server: HttpServer) -> None:
    one, two = server.add("/get?clip=1", b"one"), server.add("/get?clip=2", b"two")
    assert fetch_url(one).read_bytes() == b"one"
    assert fetch_url(two).read_bytes() == b"two"


@pytest.mark.parametrize("path", ["/%2e%2e%2f%2e%2e%2fescape.mp4", "/", "/a.b%2fc", "/" + "x" * 300 + ".verylongext"])
def test_own_address_cannot_leave_the_cache(server: HttpServer, cache: Path, path: str) -> None:
    assert fetch_url(server.add(path, BODY)).parent == cache / "downloads"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/a.mp4", "clip.mp4", "http://", "http://[", ""]
)
def test_only_http_addresses_are_taken(url: str) -> None:
    with pytest.raises(InputError, match="only http:// and https://"):
        fetch_url(url)


def test_own_address_that_fails_says_so_in_one_line(server: HttpServer) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch_url(server.url + "/gone.mp4")
    assert str(caught.value) == (
        f"{server.url}/gone.mp4 could not be downloaded: the file is not there (HTTP 404). "
        "Save the file with a browser and use that file."
    )


def test_own_address_of_a_page_says_so(server: HttpServer) -> None:
    with pytest.raises(DownloadError, match="a web page came instead of the file"):
        fetch_url(server.add("/watch", b"<!doctype html>", headers={"Content-Type": "text/html"}))


@pytest.mark.parametrize("announced", [True, False])
def test_own_file_that_is_too_large_is_refused(server: HttpServer, cache: Path, announced: bool) -> None:
    url = server.add("/big.mp4", BODY * 5, length=announced)
    with pytest.raises(DownloadError, match="larger than the 1 MB accepted here"):
        fetch_url(url, limit=1_000_000)
    assert [path.name for path in (cache / "downloads").iterdir() if not path.name.endswith(".lock")] == []


def test_own_file_is_never_resumed_but_begun_again(server: HttpServer, cache: Path) -> None:
    url = server.add("/song.mp4", BODY, cut_after=150_000, cuts=1)
    assert fetch_url(url).read_bytes() == BODY
    assert server.ranges == [None, None]
    server.requests.clear()
    worse = server.add("/worse.mp4", BODY, cut_after=150_000)
    with pytest.raises(DownloadError, match=r"cut after 0\.1 of 0\.4 MB\. Save"):
        fetch_url(worse)
    assert server.ranges == [None] * downloads.ATTEMPTS
    assert list((cache / "downloads").glob("*.part*")) == []


def test_own_address_that_sets_a_cookie_and_redirects(server: HttpServer) -> None:
    url = server.add("/dance.mp4", BODY, cookie="seen=1")
    assert fetch_url(url).read_bytes() == BODY
    assert len(server.requests) == 2


def test_own_file_that_its_server_calls_a_page_is_taken(server: HttpServer) -> None:
    url = server.add("/clip", BODY, headers={"Content-Type": "text/html"})
    assert fetch_url(url).read_bytes() == BODY


def test_own_file_may_go_to_another_folder(server: HttpServer, tmp_path: Path, cache: Path) -> None:
    assert fetch_url(server.add("/me.png", BODY), folder=tmp_path / "photo").parent == tmp_path / "photo"
    assert not cache.exists()


# Several at once


def test_two_processes_fetch_a_file_once_between_them(server: HttpServer) -> None:
    url = server.add("/a", BODY)
    code = (
        "import sys; from memegen.base.downloads import Mirror, cache_file, fetch;"
        "print(fetch(cache_file('things', 'file.bin'), [Mirror(sys.argv[1], sys.argv[2])]))"
    )
    command = [sys.executable, "-c", code, url, SHA]
    environment = os.environ | {"PYTHONPATH": str(Path(downloads.__file__).parents[2])}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    printed = {process.communicate(timeout=60)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert {Path(line).read_bytes() for line in printed} == {BODY}
    assert len(server.requests) == 1


# Google Drive


@pytest.fixture
def drive(server: HttpServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HttpServer:
    """Let the real gdown talk to the local server instead of Google."""
    send = requests.adapters.HTTPAdapter.send

    def send_here(self: Any, request: Any, **options: Any) -> requests.Response:
        request.url = re.sub(r"https://(drive|docs)\.google\.com", server.url, request.url)
        return send(self, request, **options | {"proxies": {}})

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_here)
    monkeypatch.setenv("HOME", str(tmp_path))
    return server


ATTACHED = {"Content-Disposition": 'attachment; filename="vox.pth.tar"'}


@pytest.mark.parametrize(
    "url",
    [
        DRIVE,
        "1_v_xW1V52gZCZnXgh1Ap_gwA9YVIzUnS",
        "https://drive.google.com/file/d/1_v_xW1V52gZCZnXgh1Ap_gwA9YVIzUnS/view?usp=sharing",
        "https://drive.google.com/open?id=1_v_xW1V52gZCZnXgh1Ap_gwA9YVIzUnS",
        "https://drive.usercontent.google.com/download?export=download&id=1_v_xW1V52gZCZnXgh1Ap_gwA9YVIzUnS",
    ],
)
def test_drive_addresses_go_through_gdown(drive: HttpServer, cache: Path, url: str) -> None:
    drive.add("/uc?id=1_v_xW1V52gZCZnXgh1Ap_gwA9YVIzUnS", BODY, headers=ATTACHED)
    assert get(Mirror(url, SHA)).read_bytes() == BODY
    assert leftovers(cache) == []


def test_drive_share_link_works_as_an_own_address(drive: HttpServer) -> None:
    drive.add("/uc", BODY, headers=ATTACHED)
    assert fetch_url(DRIVE).read_bytes() == BODY


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gdown 5 leaves its file open
@pytest.mark.skipif(urllib3.__version__ < "2", reason="gdown does not notice a cut with urllib3 1")
def test_drive_download_is_resumed(drive: HttpServer, cache: Path) -> None:
    body = BODY * 4  # more than one of gdown's pieces
    mirror = Mirror(DRIVE, hashlib.sha256(body).hexdigest())
    drive.add("/uc", body, headers=ATTACHED, cut_after=1_200_000, cuts=1)
    assert get(mirror).read_bytes() == body
    assert drive.ranges[0] is None
    assert any(asked for asked in drive.ranges)
    assert leftovers(cache) == []


def test_drive_quota_page(drive: HttpServer) -> None:
    drive.add("/uc", QUOTA_PAGE, headers={"Content-Type": "text/html; charset=utf-8"})
    assert f"{DRIVE}: Google Drive's daily limit for this file was reached" in refusal(Mirror(DRIVE, SHA))


def test_drive_file_that_is_not_shared(drive: HttpServer) -> None:
    drive.add("/uc", b"<html><body>Sign in</body></html>", headers={"Content-Type": "text/html; charset=utf-8"})
    assert "it is not shared publicly, or too many asked for it" in refusal(Mirror(DRIVE, SHA))


def test_drive_file_with_wrong_checksum(drive: HttpServer, cache: Path) -> None:
    drive.add("/uc", BODY[::-1], headers=ATTACHED)
    assert "not the expected one" in refusal(Mirror(DRIVE, SHA))
    assert leftovers(cache) == []


def test_page_that_gdown_takes_for_the_file(drive: HttpServer) -> None:
    drive.add("/uc", b"<!doctype html>Too many users", headers=ATTACHED)
    assert "daily limit" in refusal(Mirror(DRIVE, SHA))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (requests.ConnectionError("no route"), "is this machine online?"),
        (requests.exceptions.ChunkedEncodingError("broken"), "the connection was cut after 0.0 MB"),
        (requests.Timeout("slow"), "the server does not answer"),
        (gdown.exceptions.FileURLRetrievalError("Too many users have viewed"), "daily limit"),
        (KeyError("Content-Type"), "did not give the file ('Content-Type')"),
        (None, "Google Drive gave no file"),
    ],
)
def test_what_gdown_says_is_put_plainly(monkeypatch: pytest.MonkeyPatch, answer: Exception | None, words: str) -> None:
    monkeypatch.setattr(gdown, "download", fake_download(answer))
    assert words in refusal(Mirror(DRIVE, SHA))


def test_full_disk_under_gdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdown, "download", fake_download(OSError(errno.ENOSPC, "No space left on device")))
    assert "is full" in refusal(Mirror(DRIVE, SHA))


def fake_download(answer: Exception | None) -> Any:
    """Make a gdown.download that takes what the installed one takes, and fails."""
    real = gdown.download

    @functools.wraps(real)
    def download(*arguments: Any, **options: Any) -> None:
        bound = inspect.signature(real).bind(*arguments, **options).arguments
        assert bound["id"] == DRIVE.partition("id=")[2]
        assert bound["quiet"] is True
        assert bound["resume"] is True
        assert bound["use_cookies"] is False  # nothing is written outside the cache folder
        if answer is not None:
            raise answer

    return download
