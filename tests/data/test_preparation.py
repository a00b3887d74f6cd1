"""Preparation downloads, checks and writes whole files or none; a local server plays the publisher."""

import hashlib
import socket
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from jdbench.cli.main import main
from jdbench.data import DATASETS, Arrays, DataSet, dataset, prepare
from jdbench.data import preparation as module
from jdbench.data.catalogue import SourceFile
from jdbench.errors import DataError, MissingExtraError
from support.published_files import random_arrays, write_idx

COUNT = 20


@dataclass
class Publisher:
    """A server of files by path, which may cut them short, and the paths that were asked for."""

    port: int
    files: dict[str, bytes] = field(default_factory=dict)
    cut: int = 0
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"


@pytest.fixture
def publisher() -> Generator[Publisher]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path[1:])
            contents = found.files.get(self.path[1:])
            self.send_response(404 if contents is None else 200)
            self.send_header("Content-Length", str(len(contents or b"")))
            self.end_headers()
            self.wfile.write((contents or b"")[: len(contents or b"") - found.cut])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Publisher(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def arrays() -> Arrays:
    return random_arrays(COUNT, (28, 28, 1))


@pytest.fixture
def known(publisher: Publisher, arrays: Arrays, tmp_path: Path) -> DataSet:
    """A set like MNIST, published in 20 images at a second place, the first being gone."""
    source = tmp_path / "source"
    source.mkdir()
    files: list[SourceFile] = []
    for file in write_idx(source, arrays):
        publisher.files[file.name] = file.read_bytes()
        checksum = f"md5:{hashlib.md5(file.read_bytes()).hexdigest()}"
        files.append(
            SourceFile(file.name, (publisher.url(f"gone/{file.name}"), publisher.url(file.name)), checksum)
        )
    return replace(DATASETS["mnist"], count=COUNT, files=tuple(files))


def closed_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def unreachable(known: DataSet) -> DataSet:
    url = f"http://127.0.0.1:{closed_port()}"
    return replace(known, files=tuple(replace(f, urls=(f"{url}/{f.name}",)) for f in known.files))


def test_what_was_published_is_what_is_read(
    known: DataSet, arrays: Arrays, publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    path = prepare(known, cache)
    assert [p.name for p in cache.rglob("*") if p.is_file()] == ["mnist.npz"]
    monkeypatch.setitem(DATASETS, "mnist", known)
    monkeypatch.delenv("JDBENCH_DATA", raising=False)
    monkeypatch.setenv("JDBENCH_CACHE", str(cache))
    found = dataset("mnist")
    np.testing.assert_array_equal(found.images, arrays.images, strict=True)
    np.testing.assert_array_equal(found.labels, arrays.labels, strict=True)
    assert len(publisher.asked) == 4  # two places for each file
    assert prepare(known, cache) == path
    assert len(publisher.asked) == 4


def test_another_checksum_is_refused_and_nothing_stays(
    known: DataSet, publisher: Publisher, tmp_path: Path
) -> None:
    name = known.files[0].name
    publisher.files[name] += b"more"
    with pytest.raises(DataError, match=f"got HTTPError from .*, then another checksum from .*{name}"):
        prepare(known, tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_a_download_cut_short_is_refused_and_nothing_stays(
    known: DataSet, publisher: Publisher, tmp_path: Path
) -> None:
    publisher.cut = 10
    with pytest.raises(DataError, match=f"required {known.files[0].name} with md5:"):
        prepare(known, tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_fewer_images_than_published_are_refused(known: DataSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="required 21 images, got 20"):
        prepare(replace(known, count=21), tmp_path / "cache")
    assert not (tmp_path / "cache" / "mnist.npz").exists()


def test_labels_beyond_the_classes_are_refused(known: DataSet, arrays: Arrays, tmp_path: Path) -> None:
    wrong = replace(known, read=lambda _: Arrays(arrays.images, arrays.labels + 1))
    with pytest.raises(DataError, match=r"labels int64 \[N\] of 0 to 9 .* got labels from 1 to 10"):
        prepare(wrong, tmp_path / "cache")


@pytest.mark.parametrize("blow", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_preparation_leaves_nothing_half_written_and_goes_on(
    known: DataSet,
    arrays: Arrays,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    blow: BaseException | type[BaseException],
) -> None:
    cache = tmp_path / "cache"

    def half(file: object, **_: object) -> None:
        file.write(b"half of it")  # pyright: ignore
        raise blow

    with monkeypatch.context() as patch:
        patch.setattr(module.np, "savez_compressed", half)
        with pytest.raises((KeyboardInterrupt, DataError)):
            prepare(known, cache)
    left = {p.name for p in cache.rglob("*") if p.is_file()}
    assert left == {file.name for file in known.files}  # downloaded and checked
    path = prepare(unreachable(known), cache)
    with np.load(path) as file:
        np.testing.assert_array_equal(file["images"], arrays.images)


def test_a_cache_that_cannot_be_written_is_named(known: DataSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"required a folder that can be written, .* set JDBENCH_CACHE"):
        prepare(known, tmp_path / "file")


def command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["jdbench", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out, printed.err


def test_without_a_network_one_line_and_exit_2(
    known: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(DATASETS, "mnist", unreachable(known))
    code, out, err = command(["data", "prepare", "mnist"], monkeypatch, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("jdbench: data='mnist', required train-images-idx3-ubyte.gz")
    assert "ConnectionError" in err
    assert "set JDBENCH_DATA to a folder that holds mnist.npz" in err


def test_commands(
    known: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JDBENCH_DATA", raising=False)
    monkeypatch.setenv("JDBENCH_CACHE", str(tmp_path / "cache"))
    for name in list(DATASETS):
        monkeypatch.setitem(DATASETS, name, replace(known, name=name))
    code, out, _ = command(["data", "prepare", "all"], monkeypatch, capsys)
    assert code == 0
    assert out.count("use: CC BY-SA 3.0") == len(DATASETS) == 6
    assert {p.name for p in (tmp_path / "cache").glob("*.npz")} == {f"{name}.npz" for name in DATASETS}
    for arguments in (["data", "list"], ["list", "datasets"]):
        code, out, _ = command(arguments, monkeypatch, capsys)
        assert code == 0
        assert "digits" in out
        assert "nowhere" not in out
    code, _, err = command(["data", "prepare", "mnits"], monkeypatch, capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "did you mean mnist?" in err


def test_without_the_extra_it_says_which(
    known: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r'required pillow, .* run `pip install "jdbench\[data\]"`'):
        DATASETS["eurosat"].read([tmp_path / "EuroSAT_RGB.zip"])
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=r'required pooch, .* run `pip install "jdbench\[data\]"`'):
        prepare(known, tmp_path)
    monkeypatch.delenv("JDBENCH_DATA", raising=False)
    monkeypatch.delenv("JDBENCH_CACHE", raising=False)
    with pytest.raises(DataError, match="got none in any folder, run `jdbench data prepare mnist`"):
        dataset("mnist")


def test_every_published_file_has_a_checksum() -> None:
    for known in DATASETS.values():
        for file in known.files:
            algorithm, digest = file.checksum.split(":")
            assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size
            assert all(url.startswith(("http://", "https://")) for url in file.urls)
