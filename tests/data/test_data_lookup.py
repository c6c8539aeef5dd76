"""Where known data sets are looked for, how they are fetched, and what is said when they are absent."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from codesign.data import locate, lookup
from codesign.data.lookup import Choice, Entry, RemoteFile, cache_folder, file_notes, registry
from codesign.errors import ConfigError, DataError


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_registry_is_well_formed():
    for source, entry in registry().items():
        assert entry.source == source and entry.folders and entry.choices
        for choice in entry.choices:
            for file in choice.files:
                assert Path(file.name).name == file.name
                assert file.url is None or file.url.startswith("https://")
                assert file.checksum is None or file.url is not None
                if file.checksum:
                    kind, digest = file.checksum.split(":")
                    assert len(digest) == {"md5": 32, "sha256": 64}[kind] and int(digest, 16) >= 0


@pytest.mark.parametrize("folder", ["", "mnist", "MNIST/raw"])
def test_flat_and_foldered_layouts_are_found(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path / "sets"))
    path = put(tmp_path / "sets" / folder / "mnist.npz")
    assert locate("mnist", None).files == (path,)


def test_the_order_is_path_variable_cache(tmp_path, monkeypatch):
    given = put(tmp_path / "given" / "mnist.npz")
    cached = put(cache_folder() / "mnist" / "mnist.npz")
    assert locate("mnist", None).files == (cached,)
    named = put(tmp_path / "sets" / "mnist.npz")
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path / "sets"))
    assert locate("mnist", None).files == (named,)
    assert locate("mnist", given.parent).files == (given,)
    other = put(tmp_path / "given" / "my-digits.npz")
    found = locate("mnist", other)
    assert (found.choice, found.files) == ("file", (other,))


def test_the_cache_is_in_the_home_folder():
    assert cache_folder() == Path(os.environ["HOME"]) / ".cache" / "codesign"


def test_a_choice_needs_all_its_files_in_one_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path))
    names = [f.name for c in registry()["mnist"].choices if c.name == "idx.gz" for f in c.files]
    for name in names[:3]:
        put(tmp_path / "mnist" / name)
    put(tmp_path / names[3])
    with pytest.raises(DataError, match="was not found"):
        locate("mnist", None)
    put(tmp_path / "mnist" / names[3])
    assert [p.name for p in locate("mnist", None).files] == names


def test_choices_can_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path))
    put(tmp_path / "unsw_nb15_82332.npz")
    put(tmp_path / "unsw_nb15_binarized.npz")
    assert locate("unsw_nb15", None).choice == "binarized"
    assert locate("unsw_nb15", None, choices=["columns"]).choice == "columns"


def test_the_message_says_what_to_put_where():
    with pytest.raises(DataError) as caught:
        locate("mnist", None)
    text = str(caught.value)
    assert "CODESIGN_OFFLINE is set, so nothing is fetched" in text
    assert "Put mnist.npz, or train-images-idx3-ubyte.gz and" in text
    assert "variable CODESIGN_DATA" in text and f"{cache_folder()}/mnist" in text and "data.path" in text
    with pytest.raises(DataError, match="no known download address.*jets_sim16.npz"):
        locate("jets_sim", None)


def test_bad_paths_are_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"data.path: there is no file or folder .*nowhere"):
        locate("mnist", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no mnist data; it must hold mnist.npz, or"):
        locate("mnist", tmp_path / "empty")
    monkeypatch.setenv("CODESIGN_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="CODESIGN_DATA must name a folder; there is none at"):
        locate("mnist", None)


def test_notes_name_files_by_digest(tmp_path):
    path = put(tmp_path / "a.bin", b"abc")
    assert file_notes([path]) == (f"file a.bin, SHA-256 {hashlib.sha256(b'abc').hexdigest()}",)


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "served"
    put(folder / "toy.bin", b"the true content")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def entry(monkeypatch, url: str, checksum: str | None) -> None:
    toy = Entry("toy", ("toy",), (Choice("bin", (RemoteFile("toy.bin", url, checksum),)),), "https://example.org")
    monkeypatch.setattr(lookup, "registry", lambda: {"toy": toy})


@pytest.mark.parametrize("kind", ["sha256", "md5", None])
def test_a_file_is_fetched_once_and_checked(kind, server, monkeypatch):
    monkeypatch.delenv("CODESIGN_OFFLINE")
    digest = None if kind is None else f"{kind}:{hashlib.new(kind, b'the true content').hexdigest()}"
    entry(monkeypatch, f"{server}/toy.bin", digest)
    found = locate("toy", None)
    assert found.files == (cache_folder() / "toy" / "toy.bin",)
    assert found.files[0].read_bytes() == b"the true content"
    entry(monkeypatch, "http://127.0.0.1:9/toy.bin", digest)  # nobody answers there: it must come from the cache
    assert locate("toy", None) == found


def test_a_file_with_another_checksum_is_refused_and_not_kept(server, monkeypatch):
    monkeypatch.delenv("CODESIGN_OFFLINE")
    entry(monkeypatch, f"{server}/toy.bin", "sha256:" + "0" * 64)
    with pytest.raises(DataError, match="toy.bin is not the file that is expected"):
        locate("toy", None)
    assert not list(cache_folder().rglob("*.bin"))


@pytest.mark.parametrize("path", ["/absent.bin", None])
def test_a_failed_download_says_what_to_do_instead(path, server, monkeypatch):
    monkeypatch.delenv("CODESIGN_OFFLINE")
    url = f"{server}{path}" if path else "http://127.0.0.1:9/toy.bin"
    entry(monkeypatch, url, None)
    with pytest.raises(DataError, match=r"fetching http://127.0.0.1.* failed .*Put toy.bin into the folder"):
        locate("toy", None)


def test_pooch_is_asked_for_by_its_pip_line(server, monkeypatch):
    monkeypatch.delenv("CODESIGN_OFFLINE")
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    entry(monkeypatch, f"{server}/toy.bin", None)
    with pytest.raises(ConfigError, match=r"needs the package 'pooch'.*pip install \"codesign\[data\]\""):
        locate("toy", None)
