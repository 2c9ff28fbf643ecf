"""Checkpoint files in all their forms, the ways they are broken, and getting the published ones from a local server."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from fomm_states import full_size, golden
from http_server import QUOTA_PAGE, HttpServer

from memegen.base.downloads import Mirror
from memegen.base.errors import DownloadError, InputError, OutputError, UnavailableError
from memegen.fomm import checkpoint as checkpoint_module
from memegen.fomm.checkpoint import (
    CHECKPOINTS,
    PARTS,
    Published,
    build_networks,
    cached_or_tiny,
    drop_originals,
    find_checkpoint,
    load_networks,
    locate,
    obtain,
    read_states,
    slim_copy,
)

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def states() -> Any:
    return golden("tiny_vox")[1]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMEGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def published(states: Any, *, legacy: bool = False) -> bytes:
    """A file as the authors published theirs: more in it than is needed, by an old torch or a new one."""
    extra = {
        "discriminator": {"a": torch.zeros(3)},
        "optimizer_generator": {"state": {}, "param_groups": []},
        "epoch": 9,
    }
    buffer = io.BytesIO()
    torch.save({**states, **extra}, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def same(networks: Any, states: Any) -> None:
    for network, part in ((networks.generator, "generator"), (networks.detector, "kp_detector")):
        for key, value in network.state_dict().items():
            assert value.dtype in (torch.float32, torch.int64)
            torch.testing.assert_close(value, states[part][key], rtol=1e-3, atol=1e-6)


class Program:
    """What a file that runs a program when opened contains."""

    def __reduce__(self) -> Any:
        return os.system, ("exit 1",)


@pytest.mark.parametrize("form", ["new", "legacy", "half", "flat", "parallel", "slim"])
def test_every_form_of_file_loads(tmp_path: Path, states: Any, form: str) -> None:
    path = tmp_path / "mine.pth.tar"
    if form in ("new", "legacy"):
        path.write_bytes(published(states, legacy=form == "legacy"))
    elif form == "half":
        half = {p: {k: v.half() if v.is_floating_point() else v for k, v in states[p].items()} for p in PARTS}
        torch.save(half, path)
    elif form == "flat":
        torch.save({f"{part}.{key}": value for part in PARTS for key, value in states[part].items()}, path)
    elif form == "parallel":
        torch.save({part: {f"module.{key}": value for key, value in states[part].items()} for part in PARTS}, path)
    else:
        path = slim_copy(states, tmp_path / "mine.safetensors")
    same(load_networks(path), states)


def test_state_dicts_in_memory_build_and_stay_as_they_are(states: Any) -> None:
    before = states["generator"]["first.conv.weight"].clone()
    networks = build_networks(states, name="memory", align_corners=False)
    assert networks.generator.dense_motion_network.align_corners is False
    torch.testing.assert_close(states["generator"]["first.conv.weight"], before)


def test_the_slim_copy_of_a_full_size_checkpoint_is_120_megabytes(tmp_path: Path) -> None:
    slim = slim_copy(full_size(), tmp_path / "deep" / "vox.safetensors")
    assert 119e6 < slim.stat().st_size < 122e6
    assert [path.name for path in slim.parent.iterdir()] == ["vox.safetensors"]


def test_numbers_too_large_for_half_precision_are_kept(tmp_path: Path, states: Any) -> None:
    large = {part: dict(states[part]) for part in PARTS}
    large["generator"]["final.weight"] = states["generator"]["final.weight"] * 1e7
    same(load_networks(slim_copy(large, tmp_path / "large.safetensors")), large)


def test_a_slim_copy_may_be_read_by_whom_the_umask_lets(tmp_path: Path, states: Any) -> None:
    before = os.umask(0o022)
    try:
        assert slim_copy(states, tmp_path / "slim.safetensors").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_a_slim_copy_that_cannot_be_written_leaves_nothing(tmp_path: Path, states: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="MEMEGEN_CACHE"):
        slim_copy(states, tmp_path / "file" / "vox.safetensors")
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(OutputError, match=r"taken\.safetensors"):
        slim_copy(states, tmp_path / "taken.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.safetensors"]


def write_refused(folder: Path, kind: str, states: Any) -> Path:
    path = folder / "broken.pth.tar"
    whole = published(states, legacy=kind == "cut legacy")
    if kind == "folder":
        (path / "archive").mkdir(parents=True)
    elif kind in ("cut", "cut legacy"):
        path.write_bytes(whole[: len(whole) * 2 // 3])
    elif kind == "cut safetensors":
        path.write_bytes(slim_copy(states, folder / "whole.safetensors").read_bytes()[:50_000])
    elif kind == "empty":
        path.touch()
    elif kind == "web page":
        path.write_bytes(QUOTA_PAGE)
    elif kind == "tar":
        with tarfile.open(path, "w") as archive:
            archive.addfile(tarfile.TarInfo("generator"))
    elif kind == "program":
        torch.save({"generator": Program(), "kp_detector": {}}, path)
    elif kind == "other parts":
        torch.save({"state_dict": {"conv.weight": torch.zeros(3)}}, path)
    elif kind == "list":
        torch.save([1, 2], path)
    elif kind == "other model":
        torch.save({part: {"conv.weight": torch.zeros(3)} for part in PARTS}, path)
    elif kind == "other shapes":
        torch.save({**states, "generator": {**states["generator"], "first.norm.bias": torch.zeros(5)}}, path)
    elif kind == "more layers":
        torch.save({**states, "generator": {**states["generator"], "attention.weight": torch.zeros(5)}}, path)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "no file"),
        ("folder", "is a folder.*not an archive to unpack"),
        ("cut", "damaged or incomplete"),
        ("cut legacy", "damaged or incomplete"),
        ("cut safetensors", "damaged or incomplete"),
        ("empty", "not a checkpoint"),
        ("web page", "not a checkpoint.*web page"),
        ("tar", "not a checkpoint"),
        ("program", "more than numbers"),
        ("other parts", "holds no generator and no kp_detector"),
        ("list", "holds no generator and no kp_detector"),
        ("other model", "another model"),
        ("other shapes", r"another model.*first\.norm\.bias"),
        ("more layers", r"another model.*attention\.weight"),
    ],
)
def test_unusable_files_are_refused_in_one_plain_line(tmp_path: Path, states: Any, kind: str, words: str) -> None:
    path = write_refused(tmp_path, kind, states)
    with pytest.raises(InputError, match=words) as caught:
        load_networks(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("module", ["torch", "safetensors"])
def test_without_torch_nothing_is_fetched_and_the_way_on_is_told(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    register(monkeypatch, server.url + "/vox", body=b"")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnavailableError, match=r"memegen-sings\[fomm\]") as caught:
        load_networks("vox")
    assert caught.value.remedy == {"engine": "mesh"}
    assert server.requests == []


def test_the_registry_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; from memegen.fomm.checkpoint import CHECKPOINTS, find_checkpoint"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(InputError, match="vox, vox-adv, taichi, taichi-adv, fashion, mgif, nemo, bair") as caught:
        load_networks("voxx")
    assert caught.value.remedy == {"engine": "mesh"}


def test_a_file_goes_before_a_name_and_a_folder_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vox").mkdir()
    Path("mine").touch()
    assert locate("vox") == find_checkpoint("vox")
    assert locate("mine") == Path("mine")
    assert locate("~nobody-has-this-name/vox.pth.tar") == Path("~nobody-has-this-name/vox.pth.tar")
    with pytest.raises(InputError, match="There is no engine or file"):
        locate("x" * 300)


def test_the_registry_has_the_eight_published_checkpoints() -> None:
    assert len({checkpoint.name for checkpoint in CHECKPOINTS}) == len(CHECKPOINTS) == 8
    assert all(checkpoint.mirrors for checkpoint in CHECKPOINTS)
    assert find_checkpoint("fashion").mirrors[0].url.endswith("/fashion.pth.tar")
    assert find_checkpoint("vox").mirrors[0].sha256 != find_checkpoint("vox-adv").mirrors[0].sha256


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def register(monkeypatch: pytest.MonkeyPatch, *urls: str, body: bytes) -> Published:
    sha256 = hashlib.sha256(body).hexdigest()
    entry = Published("vox", "faces", "vox-cpk.pth.tar", tuple(Mirror(url, sha256) for url in urls))
    monkeypatch.setattr(checkpoint_module, "CHECKPOINTS", (entry,))
    return entry


def test_first_use_fetches_and_slims_and_the_next_needs_no_network(
    server: HttpServer, states: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = published(states, legacy=True)
    quota = server.add("/quota", QUOTA_PAGE, headers={"Content-Type": "text/html"})
    cut = server.add("/cut", body, cut_after=len(body) // 2, cuts=1)
    entry = register(monkeypatch, server.url + "/404", quota, cut, body=body)
    assert entry.cached_bytes == 0
    told: list[tuple[str, int, int]] = []
    same(load_networks("vox", progress=lambda *step: told.append(step)), states)
    assert server.ranges[-1] is not None
    assert {stage for stage, _, _ in told} == {"Downloading vox-cpk.pth.tar"}
    assert told[-1][1] == told[-1][2]
    assert entry.original.read_bytes() == body
    assert entry.cached_bytes == len(body) + entry.slim.stat().st_size
    asked = len(server.requests)
    assert drop_originals() == len(body)
    same(load_networks("vox"), states)
    assert len(server.requests) == asked
    assert not entry.original.exists()
    assert drop_originals() == 0


def test_a_file_put_into_the_cache_by_hand_is_used(
    server: HttpServer, states: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = register(monkeypatch, server.url + "/vox", body=b"")
    entry.original.parent.mkdir(parents=True)
    entry.original.write_bytes(published(states))
    same(load_networks("vox"), states)
    assert server.requests == []


def test_lessons_take_what_is_cached_or_the_tiny_networks(states: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = register(monkeypatch, body=b"")
    assert cached_or_tiny() == "tiny"
    entry.original.parent.mkdir(parents=True)
    entry.original.write_bytes(published(states))
    assert cached_or_tiny("vox") == "vox"
    with pytest.raises(InputError, match="There is no engine or file"):
        cached_or_tiny("voxx")


def test_tiny_is_a_name_for_a_bundled_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint_module, "asset", lambda name: Path("assets", name))
    assert locate("tiny") == Path("assets/models/tiny_vox.safetensors")
    Path("tiny").touch()
    assert locate("tiny") == Path("tiny")


def test_when_no_mirror_serves_it_each_reason_is_told_and_the_way_on(
    server: HttpServer, states: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = published(states)
    wrong = server.add("/wrong", body[:-1] + b"!")
    quota = server.add("/quota", QUOTA_PAGE, headers={"Content-Type": "text/html"})
    entry = register(monkeypatch, server.url + "/gone", wrong, quota, body=body)
    with pytest.raises(DownloadError) as caught:
        obtain("vox")
    message = str(caught.value)
    for expected in (f"{server.url}/gone", "404", wrong, "checksum", quota):
        assert expected in message
    assert caught.value.remedy == {"engine": "mesh"}
    assert not entry.original.exists()
    assert not entry.slim.exists()


def test_trained_weights_survive_slimming(tmp_path: Path, states: Any) -> None:
    trained = read_states(slim_copy(states, tmp_path / "a.safetensors"))
    largest = max(
        float((trained[p][k].float() - v).abs().max() / v.abs().max())
        for p in PARTS
        for k, v in states[p].items()
        if v.is_floating_point() and v.abs().max() > 0
    )
    assert largest < 2**-11
