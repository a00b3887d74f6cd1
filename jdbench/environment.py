"""Where a number was measured: versions, processor, threads and commit."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

PACKAGES = ("jdbench", "torch", "numpy", "scipy", "numba", "scikit-learn")


def environment(workers: int) -> dict[str, str]:
    """Return the facts about this machine and installation that a reader of a result needs, by name.

    Nothing identifies the machine or its user. Workers are the processes that run at a time.

    Example:
        >>> from jdbench.environment import environment
        >>> environment(2)["processes"]
        '2, one torch thread each'
    """
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "processes": f"{workers}, one torch thread each",
        "commit": _commit(),
    }


def provenance_fact(problem: str) -> str:
    """Return under which name the facts keep what runs on a problem were trained on.

    Example:
        >>> from jdbench.environment import provenance_fact
        >>> provenance_fact("IWRM-digits")
        'data of IWRM-digits'
    """
    return f"data of {problem}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def _commit() -> str:
    source = Path(__file__).parent.parent
    if not (source / ".git").exists():
        return "installed package"
    try:
        commit = _git(source, "rev-parse", "--short=12", "HEAD")
        changed = _git(source, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + (" with changes" if changed else "")


def _git(source: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(source), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()
