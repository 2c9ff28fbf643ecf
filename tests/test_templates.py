"""The registry, and the way from what a user typed to a clip on this machine."""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_server import HttpServer

from memegen import templates
from memegen.base.downloads import Mirror
from memegen.base.errors import DownloadError, InputError
from memegen.templates import TEMPLATES, Template, load_template, read_duet, resolve_driving

CLIP = b"\0\0\0\x20ftypisom" + bytes(range(256)) * 200
BAKA_MITAI = Path(__file__).parents[2] / "shared" / "media" / "local-only" / "damedane_fuoum.mp4"
BUNDLED = Path(__file__).parents[1] / "assets" / "templates" / "daisy-bell.mp4"
MAIN, *OTHER_CUTS = next(template for template in TEMPLATES if template.name == "baka-mitai").mirrors


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def serve(monkeypatch: pytest.MonkeyPatch, name: str, *mirrors: Mirror) -> None:
    """Give a template of the registry other mirrors."""
    changed = tuple(dataclasses.replace(t, mirrors=mirrors) if t.name == name else t for t in TEMPLATES)
    monkeypatch.setattr(templates, "TEMPLATES", changed)


# The registry


def test_registry_names_are_distinct_and_the_first_is_bundled() -> None:
    names = [template.name for template in TEMPLATES]
    assert len(set(names)) == len(names)
    assert TEMPLATES[0].name == "daisy-bell"
    assert TEMPLATES[0].bundled is not None


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_every_entry_can_be_had_one_way_and_says_whose_it_is(template: Template) -> None:
    assert (template.bundled is None) != (not template.mirrors)
    assert template.title
    assert template.credit
    assert template.licence
    assert template.path is None
    assert template.end is None or template.end > template.start
    assert all(mirror.sha256 and mirror.url.startswith("https://") for mirror in template.mirrors)


def test_baka_mitai_is_the_known_bytes_and_never_bundled() -> None:
    assert MAIN.sha256 == "03cb4f14024591ea11e87bb5d4a5c822c65cc9b39c8f6f0233ca61c6d2ea6db7"
    assert len(OTHER_CUTS) == 3
    assert all(len(mirror.sha256 or "") == 64 for mirror in OTHER_CUTS)  # nothing else is accepted
    template = next(template for template in TEMPLATES if template.name == "baka-mitai")
    assert template.bundled is None
    assert "SEGA" in template.credit
    assert "Dobbsyrules" in template.credit
    assert "check before posting" in template.licence


def test_baka_mitai_mirror_has_the_clip_at_hand(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    if not BAKA_MITAI.is_file():
        pytest.skip("the clip is not on this machine")
    url = server.add("/damedane.mp4", BAKA_MITAI.read_bytes(), cut_after=500_000, cuts=1)
    serve(monkeypatch, "baka-mitai", Mirror(server.url + "/gone", OTHER_CUTS[0].sha256), Mirror(url, MAIN.sha256))
    path = load_template("baka-mitai").path
    assert path is not None
    assert path.read_bytes() == BAKA_MITAI.read_bytes()


# Loading


@pytest.mark.skipif(not BUNDLED.is_file(), reason="the clip has not been made: run `make assets`")
def test_bundled_template_is_a_real_file_and_makes_no_cache(cache: Path) -> None:
    path = load_template("daisy-bell").path
    assert path is not None
    assert path.name == "daisy-bell.mp4"
    assert path.stat().st_size > 10_000
    assert not cache.exists()


def test_fetched_template_is_fetched_once(server: HttpServer, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    serve(monkeypatch, "baka-mitai", Mirror(server.add("/a.mp4", CLIP), hashlib.sha256(CLIP).hexdigest()))
    template = load_template("baka-mitai")
    assert template.path == cache / "templates" / "baka-mitai.mp4"
    assert template.path.read_bytes() == CLIP
    assert dataclasses.replace(template, path=None) == templates.TEMPLATES[-1]
    assert load_template("baka-mitai") == template
    assert len(server.requests) == 1


def test_template_that_cannot_be_fetched_says_where_to_put_it(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    serve(monkeypatch, "baka-mitai", Mirror(server.url + "/gone", "0" * 64))
    with pytest.raises(DownloadError, match=r"HTTP 404") as caught:
        load_template("baka-mitai")
    assert str(cache / "templates" / "baka-mitai.mp4") in str(caught.value)


def test_unknown_template_lists_the_known_ones_and_guesses() -> None:
    with pytest.raises(InputError) as caught:
        load_template("Baka-Mitay")
    assert str(caught.value) == (
        "There is no template 'Baka-Mitay'. Did you mean 'baka-mitai'? Known templates: daisy-bell, happy-birthday, "
        "twinkle-twinkle, jingle-bells, la-cucaracha, ode-to-joy, auld-lang-syne, baka-mitai; "
        "the path or web address of any video or sound file works too."
    )
    with pytest.raises(InputError, match=r"'qqq'\. Known templates: daisy-bell, happy-birthday, .*, baka-mitai;"):
        load_template("qqq")


# Whatever the user typed


def test_name_is_a_template_even_beside_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "daisy-bell").write_bytes(CLIP)
    monkeypatch.setattr(templates, "asset", lambda name: Path("/bundled") / name)
    assert resolve_driving("daisy-bell").path == Path("/bundled/templates/daisy-bell.mp4")
    assert resolve_driving("./daisy-bell").path == Path("daisy-bell")
    assert resolve_driving(Path("daisy-bell")).path == Path("daisy-bell")


@pytest.mark.parametrize("name", ["clip.mp4", "my clip.mov", "-clip.mp4", "кліп ば.webm", "no_extension"])
def test_any_local_file_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CLIP)
    template = resolve_driving(str(path))
    assert template.path == path
    assert template.name == path.stem
    assert (template.start, template.end) == (0.0, None)


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "clip.mp4").write_bytes(CLIP)
    assert resolve_driving("~/clip.mp4").path == tmp_path / "clip.mp4"


def test_progress_of_a_download_is_told(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, "baka-mitai", Mirror(server.add("/a.mp4", CLIP), hashlib.sha256(CLIP).hexdigest()))
    own = server.add("/dance.mp4", CLIP)
    told: list[tuple[str, int, int]] = []
    load_template("baka-mitai", progress=lambda *step: told.append(step))
    assert told[-1] == ("Downloading baka-mitai.mp4", 1, 1)
    resolve_driving(own, progress=lambda *step: told.append(step))
    assert told[-1][0].startswith("Downloading dance-")
    told.clear()
    resolve_driving(own, progress=lambda *step: told.append(step))  # it is there already
    assert told == []


def test_address_is_downloaded_and_credited_to_itself(server: HttpServer, cache: Path) -> None:
    url = server.add("/dance.mp4", CLIP)
    template = resolve_driving(url)
    assert template.path is not None
    assert template.path.read_bytes() == CLIP
    assert template.path.parent == cache / "downloads"
    assert template.credit == url


def test_dead_address_is_a_download_error(server: HttpServer) -> None:
    with pytest.raises(DownloadError, match="HTTP 404"):
        resolve_driving(server.url + "/gone.mp4")


@pytest.mark.parametrize("address", ["gopher://example.org/clip.mp4", "ftp://example.org/clip.mp4", "https://"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(InputError, match="only http:// and https://"):
        resolve_driving(address)


@pytest.mark.parametrize(
    "source", ["gone.mp4", Path("gone.mp4"), "gone/clip.mp4", "~nobody-here/a.mp4", "a\0b", "x" * 5000, "-o"]
)
def test_missing_file_lists_the_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError,
        match=r"There is no template or video file .* Known templates: daisy-bell, happy-birthday, .*, baka-mitai;",
    ):
        resolve_driving(source)


@pytest.mark.parametrize("source", ["", ".", Path()])
def test_folder_is_no_clip(source: str | Path) -> None:
    with pytest.raises(InputError, match="is not a file: give a video file inside it, or a template"):
        resolve_driving(source)


def test_template_of_ones_own_is_located(server: HttpServer, tmp_path: Path) -> None:
    ready = Template(name="mine", title="Mine", credit="me", licence="mine", path=tmp_path / "mine.mp4")
    assert resolve_driving(ready) is ready
    mirror = Mirror(server.add("/a.mp4", CLIP), hashlib.sha256(CLIP).hexdigest())
    remote = Template(name="theirs", title="Theirs", credit="they", licence="theirs", mirrors=(mirror,))
    located = resolve_driving(remote)
    assert located.path is not None
    assert located.path.read_bytes() == CLIP


# What a template says of itself in a finished clip


def test_lyrics_lie_beside_the_clip(tmp_path: Path) -> None:
    assert load_template("daisy-bell").lyrics == BUNDLED.with_suffix(".lrc")
    clip = tmp_path / "song.mp4"
    clip.write_bytes(b"a clip")
    assert resolve_driving(clip).lyrics is None
    clip.with_suffix(".srt").write_text("words")
    assert resolve_driving(clip).lyrics == tmp_path / "song.srt"


def test_marks_name_templates_but_never_a_users_file(tmp_path: Path) -> None:
    numbers = {template.mark for template in TEMPLATES}
    assert len(numbers) == len(TEMPLATES)
    assert all(0 <= number < 2**32 for number in numbers)
    clips = [tmp_path / "my secret ex.mp4", tmp_path / "other.mp4"]
    for clip in clips:
        clip.write_bytes(b"a clip")
    mine, other = map(resolve_driving, clips)
    assert mine.public_name == "own clip"
    assert mine.mark == other.mark
    assert mine.mark not in numbers


def test_who_sings_what() -> None:
    assert read_duet([" 0 = daisy-bell", "1=a=b.mp4"]) == {0: "daisy-bell", 1: "a=b.mp4"}
    assert read_duet([]) == {}
    for part in ("daisy-bell", "1", "1=", "=daisy-bell", "-1=daisy-bell", "left=daisy-bell"):
        with pytest.raises(InputError, match="does not say which face sings what"):
            read_duet(["0=daisy-bell", part])
    with pytest.raises(InputError, match="Face 0 has two songs"):
        read_duet(["0=daisy-bell", "0=baka-mitai"])
