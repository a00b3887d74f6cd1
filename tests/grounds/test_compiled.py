"""Compiled kernels: compiled again when one that they call changes, and compiled where nothing can be kept."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from jdbench import compiled
from jdbench.compiled import forget_stale_kernels


def test_kernels_older_than_the_youngest_source_are_forgotten_and_younger_ones_kept(tmp_path: Path) -> None:
    cache = tmp_path / "kernels" / "__pycache__"
    cache.mkdir(parents=True)
    source = tmp_path / "kernels" / "called.py"
    source.write_text("@compiled\ndef f(): ...\n")
    (tmp_path / "kernels" / "no_kernel.py").write_text("")
    old, new = cache / "caller.old.nbi", cache / "caller.new.nbi"
    for path, seconds in ((source, 100), (old, 99), (new, 101), (tmp_path / "kernels" / "no_kernel.py", 200)):
        path.touch()
        os.utime(path, (seconds, seconds))
    forget_stale_kernels(tmp_path)
    assert not old.exists()
    assert new.exists()


def doubled(x: float) -> float:
    return 2 * x


def test_where_no_folder_can_be_written_kernels_compile_and_one_warning_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose packages are read-only and whose user has no home."""
    no_folder = tmp_path / "a file"
    no_folder.touch()
    for variable in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(no_folder / "below"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    code = doubled.__code__.replace(co_filename=str(no_folder / "below" / "kernel.py"))
    monkeypatch.setattr(doubled, "__code__", code)
    compiled._warn_of_no_cache.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kernels = [compiled.compiled(doubled), compiled.compiled_sums(doubled)]
    assert [kernel(1.5) for kernel in kernels] == [3.0, 3.0]
    (warning,) = caught
    assert "set NUMBA_CACHE_DIR to one" in str(warning.message)
    assert warning.category is RuntimeWarning


def test_worker_processes_leave_that_warning_to_their_parent() -> None:
    code = (
        "import multiprocessing, warnings\nfrom jdbench import compiled\nwarnings.simplefilter('error')\n"
        "multiprocessing.parent_process = lambda: object()\ncompiled._warn_of_no_cache()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
