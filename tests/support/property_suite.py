"""A stranger's aggregators, files of failures expected of them, and the property suite run on them."""

import subprocess
import sys
from pathlib import Path

PROPERTIES = ["-p", "no:cacheprovider", "-rxs", "--pyargs", "jdbench.properties"]
EXIT_USAGE = 4

STRANGER = """\
def agg(J):
    return J.mean(0)

def half(J):  # faulty in float32 alone
    return J.mean(0) + (J.dtype.itemsize == 4)
"""

ENTRY = '[[failure]]\naggregator = "stranger:agg"\nproperty = "non-conflicting"\nreason = "a mean conflicts"\n'


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=300
    )


BAD = {
    "no TOML": ("[[failure]\n", "required TOML, got "),
    "a table": ("[failure]\n", "required [[failure]] tables alone, got failure"),
    "another table": ("[[failures]]\n", "required [[failure]] tables alone, got failures"),
    "no tables": ("failure = [1]", "failure 1: failure=1, required a table, got int"),
    "unknown key": (ENTRY + 'dtpe = "float32"', "failure 1: key='dtpe', required a known key"),
    "no reason": (
        ENTRY.replace('reason = "a mean conflicts"', ""),
        "failure 1: reason, required in every entry",
    ),
    "empty reason": (ENTRY.replace("a mean conflicts", " "), "failure 1: reason=' ', required why it fails"),
    "no aggregator": (
        ENTRY.replace('aggregator = "stranger:agg"', ""),
        "failure 1: aggregator, required in every",
    ),
    "unknown property": (ENTRY + ENTRY.replace("non-c", "non-k"), "failure 2: property='non-konflicting'"),
    "unknown dtype": (ENTRY + 'dtype = "float16"', "failure 1: dtype='float16', required a known dtype"),
    "no string": (ENTRY + "dtype = 32", "failure 1: dtype=32, required a string, got int"),
    "twice": (ENTRY + ENTRY.replace("a mean", "it"), "failure 2: aggregator='stranger:agg', required once"),
}
