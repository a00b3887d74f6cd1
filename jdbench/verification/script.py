"""A failed verdict as a script of a few lines that runs alone: it holds all of the witness."""

import dataclasses
import importlib
import math
import os
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor

from jdbench.errors import InputError
from jdbench.spec import slug
from jdbench.verification.calls import FIRST_LIMIT
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.tasks import made
from jdbench.verification.verdicts import Outcome, Verdict

TEMPLATE = '''"""{title}"""
{path}
import torch

from jdbench.aggregator import resolve
from jdbench.verification.calls import Call, MisbehaviourError
from jdbench.verification.properties import PROPERTIES
{imports}

witness = {witness}
call = Call(resolve({spec!r}).aggregator, {dtype}, {limit!r})
J = witness.matrix.J
print("J =", J.tolist())


def look():
    print("A(J) =", call(J, witness.seed).tolist())
    return PROPERTIES[{property!r}].check(call, witness)


{ends}call.warm_up()
try:
    finding = look()
except MisbehaviourError as error:
    print("broken", error.what, error)
    raise SystemExit({broken}) from None
print("margin", finding.margin, "tolerance", finding.tolerance, "violated", finding.violated, finding.message)
raise SystemExit(0 if finding.violated else 1)
'''

ENDS = """# The call may end the process that makes it: so first in a fork, on Linux.
ending = ending_of(look, {limit!r})
if ending:
    print("broken exits its process ended with", ending)
    raise SystemExit(0)
"""

INSTALLED = ("site-packages", "dist-packages")
"""Names of the folders of installed packages, whatever environment brings them in."""

PATH = """
import sys
from pathlib import Path

# The aggregator's module is not installed; it was in this folder, seen from that of this script.
sys.path.insert(0, str((Path(__file__).parent / {folder!r}).resolve()))
"""


def replay_script(verdict: Verdict, folder: Path | None = None) -> str:
    """Return a script that shows a refutation, or how an aggregator breaks; it exits 0 if that happens again.

    Args:
        verdict: A refutation of an aggregator with a spec, or that it is broken.
        folder: Where the script will lie: it finds a module that is not installed from there, whatever folder
            it runs in, and names no other place of this machine. None: the module must be importable.

    Returns:
        Python source.
    """
    spec, statement = verdict.aggregator, PROPERTIES[verdict.prop].statement
    broken = verdict.outcome is Outcome.BROKEN
    title = f"{spec} is {'broken' if broken else 'not ' + verdict.prop}: {verdict.message or statement}"
    title += "" if verdict.recheck is None else f"\n\n{verdict.recheck}\n"
    title += " " if title.endswith('"') else ""
    found = None if folder is None else _folder_of(spec)
    ends = broken and verdict.message.startswith("exits: ")
    imports = [*_classes(verdict.witness), *([("jdbench.exits", "ending_of")] if ends else [])]
    return TEMPLATE.format(
        title=title.replace("\\", "\\\\").replace('"""', r"\"\"\"").replace("\0", r"\x00"),
        path="" if found is None or folder is None else PATH.format(folder=os.path.relpath(found, folder)),
        imports="\n".join(sorted(f"from {m} import {n}" for m, n in imports)),
        witness=as_source(verdict.witness),
        spec=spec,
        property=verdict.shown_by or verdict.prop,
        dtype=str(verdict.dtype),
        limit=verdict.limit,
        ends=ENDS.format(limit=verdict.limit + FIRST_LIMIT) if ends else "",
        broken=int(not broken),
    )


def _folder_of(spec: str) -> Path | None:
    """Return the folder in which a spec's module was found, if it is not one that Python always searches."""
    module = spec.partition("(")[0].rpartition(":")[0]
    if not module:
        return None
    package = importlib.import_module(module.partition(".")[0])
    if package.__file__ is None:  # a namespace package
        place = Path(next(iter(package.__path__)))
    else:
        file = Path(package.__file__)
        place = file.parent if hasattr(package, "__path__") else file
    folder = place.resolve().parent
    installed = folder.name in INSTALLED or folder == Path(sysconfig.get_path("stdlib")).resolve()
    return None if installed else folder


def write_scripts(verdicts: Iterable[Verdict], folder: Path) -> None:
    """Write a script for each failed verdict, by its `script_name`; the folder is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for verdict in verdicts:
        if verdict.failed:
            script = replay_script(verdict, folder.resolve())
            (folder / script_name(verdict)).write_text(script, encoding="utf-8")


def write_script(verdicts: Sequence[Verdict], file: Path) -> None:
    """Write the script of the one verdict that there should be.

    Raises:
        InputError: There are several, the spec names no aggregator here, or the file cannot be written.
    """
    if len(verdicts) > 1:
        raise InputError(f"script={str(file)!r}, required one verdict, got {len(verdicts)}, name one")
    made(verdicts[0].aggregator)  # its module is found as it would be to call it
    try:
        file.write_text(replay_script(verdicts[0], file.resolve().parent), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"script={str(file)!r}, required a file to write, got {error.strerror}, choose another"
        ) from error


def script_name(verdict: Verdict) -> str:
    """Return the name of a verdict's script: letters, digits and hyphens, short, another for every verdict."""
    return f"{slug(verdict.aggregator)}_{verdict.prop}_{verdict.dtype_name}.py"


def as_source(value: object) -> str:
    """Return a Python expression that makes an equal value.

    Args:
        value: A tensor, number, string, None, sequence of such, or a dataclass of such, whose fields are left
            out where they are None or empty.

    Returns:
        Source, with ``torch`` and the names of the dataclasses imported.
    """
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        given = {name: held for name, held in fields.items() if held is not None and held != ()}
        arguments = ", ".join(f"{name}={as_source(held)}" for name, held in given.items())
        return f"{type(value).__name__}({arguments})"
    if isinstance(value, Tensor):
        shape = f".reshape({tuple(value.shape)})" if value.numel() == 0 else ""
        return f"torch.tensor({as_source(value.tolist())}, dtype={value.dtype}){shape}"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, list):
        return f"[{', '.join(map(as_source, value))}]"
    if isinstance(value, tuple):
        return f"({''.join(as_source(held) + ', ' for held in value)})"
    return repr(value)


def _classes(value: object) -> set[tuple[str, str]]:
    """Return module and name of every dataclass within a value."""
    if dataclasses.is_dataclass(value):
        held = (getattr(value, field.name) for field in dataclasses.fields(value))
        return {(type(value).__module__, type(value).__name__)}.union(*map(_classes, held))
    return set[tuple[str, str]]().union(*map(_classes, value)) if isinstance(value, list | tuple) else set()
