"""Compiled kernels that call others are compiled again when one of those changes."""

import os
from pathlib import Path

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
