"""Files that appear whole or not at all, and digests that follow what files hold."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from radgpt.artifacts import digest, write_bytes, write_joined


def test_parts_are_joined_in_order_and_digested(tmp_path: Path) -> None:
    for name, content in (("a", b"one\n"), ("b", b""), ("c", b"two\n" * 400_000)):
        (tmp_path / name).write_bytes(content)
    with write_joined(tmp_path / "all") as join:
        for name in "abc":
            join(tmp_path / name)
        assert not (tmp_path / "all").exists()
    assert (tmp_path / "all").read_bytes() == b"one\n" + b"two\n" * 400_000
    known = digest(tmp_path / "all")
    write_bytes(tmp_path / "copy", (tmp_path / "all").read_bytes())
    assert digest(tmp_path / "copy") == known


def test_a_file_that_changes_has_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    first = digest(path)
    path.write_text("two, longer")
    assert digest(path) != first


def test_what_cannot_be_written_whole_does_not_appear(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"x" * 700_000)
    code = (
        "import pathlib, sys; from radgpt.artifacts import write_joined\n"
        "here = pathlib.Path(sys.argv[1])\n"
        "with write_joined(here / 'all') as join: join(here / 'part')\n"
    )

    def small_files_only() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], preexec_fn=small_files_only, capture_output=True, text=True)
    assert done.returncode == 1 and "File too large" in done.stderr
    assert not (tmp_path / "all").exists()


def test_a_failed_block_leaves_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"new")
    (tmp_path / "all").write_bytes(b"old")
    with pytest.raises(ValueError), write_joined(tmp_path / "all") as join:
        join(tmp_path / "part")
        raise ValueError
    assert (tmp_path / "all").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"part", "all"}
