"""Verdicts on disk: a JSON list, one verdict a line, written and read.

Data is not code: reading imports and calls nothing that a file names, and takes a file from anywhere.
"""

import dataclasses
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn, cast

import torch
from torch import Tensor

from jdbench.errors import InputError
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies import Matrix
from jdbench.verification.verdicts import DTYPES, Bearer, Definition, Outcome, Recheck, Verdict, dtype_name
from jdbench.verification.witnesses import ROUNDS, Witness

LONGEST_LIMIT = 1e6
"""Seconds: more than anybody waits for one call, and less than a timer takes."""

LARGEST_MAGNITUDE = 1e150
"""Of a matrix: searches draw entries with finite squares, and margins are NaN beyond."""


def write_verdict_file(verdicts: Iterable[Verdict], path: Path) -> None:
    """Write verdicts as a JSON list, one a line.

    Numbers that are not finite become null, in a witness strings such as ``"nan"``.

    Raises:
        InputError: Two verdicts share a name, as those of unnamed aggregators do: no reader takes both.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import torch
        >>> from jdbench.verification import Matrix, Outcome, Verdict, Witness
        >>> from jdbench.verification import read_verdict_file, write_verdict_file
        >>> J = torch.tensor([[1.0], [-2.0]], dtype=torch.float64)
        >>> witness = Witness(Matrix(J, "opposed"))
        >>> found = ("non-conflicting", J.dtype, Outcome.REFUTED, 160, -0.25, 1e-14, witness)
        >>> verdict = Verdict(*found, aggregator="Mean")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_verdict_file([verdict], Path(folder) / "verdicts.json")
        ...     (again,) = read_verdict_file(Path(folder) / "verdicts.json")
        >>> again.name, again.margin == verdict.margin
        ('Mean/non-conflicting/float64', True)
    """
    verdicts = tuple(verdicts)
    for name, number in Counter(verdict.name for verdict in verdicts).items():
        if number > 1:
            places = ", ".join(str(place) for place, one in enumerate(verdicts, 1) if one.name == name)
            raise InputError(
                f"verdicts, required a name of its own for each (aggregator/property/dtype), got {name} as the "
                f"verdicts {places}, set `aggregator` to different specs"
            )
    lines = [
        json.dumps(_as_json(verdict), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        for verdict in verdicts
    ]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def read_verdict_file(path: Path) -> tuple[Verdict, ...]:
    """Return the verdicts of a file, in their order.

    Files of earlier versions have neither ``shown_by`` nor ``limit``: they get the property and 10 seconds.

    Raises:
        InputError: The file cannot be read, or is none of `write_verdict_file`; the message says where.

    Example:
        >>> from pathlib import Path
        >>> from jdbench.verification import read_verdict_file
        >>> read_verdict_file(Path("none.json"))
        Traceback (most recent call last):
        jdbench.errors.InputError: verdicts='none.json', required a file of `jdbench verify --json`, got ...
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        if not isinstance(content, list):
            raise ValueError(f"a {type(content).__name__} and no list")
        verdicts: dict[str, Verdict] = {}
        for number, value in enumerate(cast("list[object]", content), 1):
            verdict = _entry(value, number)
            if verdict.name in verdicts:
                raise ValueError(f"entry {number}: {verdict.name} for the second time")
            verdicts[verdict.name] = verdict
    except (OSError, ValueError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"verdicts={str(path)!r}, required a file of `jdbench verify --json`, got {said}, make it again"
        ) from error
    return tuple(verdicts.values())


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "aggregator": verdict.aggregator,
        "property": verdict.prop,
        "dtype": verdict.dtype_name,
        "outcome": str(verdict.outcome),
        "examples": verdict.examples,
        "margin": _finite(verdict.margin),
        "tolerance": _finite(verdict.tolerance),
        "message": verdict.message,
        "shown_by": verdict.shown_by or verdict.prop,
        "limit": verdict.limit,
        "witness": _plain(verdict.witness),
        "recheck": verdict.recheck and _recheck_as_json(verdict.recheck),
        "expected": verdict.expected,
    }


def _recheck_as_json(recheck: Recheck) -> dict[str, Any]:
    definition = recheck.definition and {
        "name": recheck.definition.name,
        "keeps": recheck.definition.keeps,
        "ulps": _finite(recheck.definition.ulps),
        "bearer": str(recheck.definition.bearer),
    }
    return {
        "confirmed": recheck.confirmed,
        "margin": recheck.margin,
        "definition": definition,
        "missing": recheck.missing,
        "summary": str(recheck),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: object) -> Any:
    """Return what JSON can hold; the fields of a witness's matrix lie beside its own."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {**fields.pop("matrix", {}), **fields}
    if isinstance(value, Tensor):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return [_plain(held) for held in value] if isinstance(value, list | tuple) else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant}, which is no number of JSON")


class _Fields:
    """The fields of one object of a file: each is looked up with the type that it must have."""

    def __init__(self, value: object, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise self.error(f"a {type(value).__name__} and no object")
        self.held = cast("dict[str, object]", value)

    def error(self, said: str) -> ValueError:
        return ValueError(f"{self.where}: {said}")

    def text(self, name: str, known: Iterable[str] | None = None, default: str | None = None) -> str:
        value = self.held.get(name, default)
        if not isinstance(value, str) or (known is not None and value not in known):
            raise self.error(f"{name}={_brief(value)}")
        value.encode()  # a lone surrogate goes into no script and no page: its error is a ValueError
        return value

    def number(self, name: str, default: float | None = None, most: float = sys.float_info.max) -> float:
        """Return a finite float; NaN for null, unless there is a default."""
        value = self.held.get(name, default)
        if value is None and default is None and name in self.held:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= most:
            raise self.error(f"{name}={_brief(value)}")
        return float(value)

    def count(self, name: str, least: int, most: int) -> int:
        value = self.held.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.error(f"{name}={_brief(value)}, not from {least} to {most}")
        return value

    def tensor(self, name: str, *shape: int | None, exact: torch.dtype = torch.float64) -> Tensor:
        """Return entries that are exact in a dtype, as float64, in a shape: None for any length from 1 on."""
        try:
            tensor = torch.tensor(_numbers(self.held.get(name)), dtype=torch.float64)
        except (ValueError, OverflowError, RecursionError) as error:
            raise self.error(f"{name}: {error}") from error
        lengths = zip(tensor.shape, shape, strict=False)
        if tensor.ndim != len(shape) or not all(
            size > 0 and length in (None, size) for size, length in lengths
        ):
            raise self.error(f"{name} of shape {tuple(tensor.shape)}")
        if not bool((tensor.abs() <= LARGEST_MAGNITUDE).all()) or not torch.equal(
            tensor.to(exact).double(), tensor
        ):
            raise self.error(f"{name} with entries that no search draws in {dtype_name(exact)}")
        return tensor


def _numbers(value: object) -> Any:
    if isinstance(value, list):
        return [_numbers(held) for held in cast("list[object]", value)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_brief(value)} and no number")
    return float(value)


def _brief(value: object) -> str:
    said = repr(value)
    return said if len(said) <= 40 else f"{said[:40]}…"


def _entry(value: object, number: int) -> Verdict:
    fields = _Fields(value, f"entry {number}")
    prop = fields.text("property", PROPERTIES)
    dtype = {dtype_name(dtype): dtype for dtype in DTYPES}[fields.text("dtype", map(dtype_name, DTYPES))]
    tolerance = fields.number("tolerance")
    expected = fields.held.get("expected")
    limit = fields.number("limit", 10.0, LONGEST_LIMIT)
    if limit <= 0:
        raise fields.error(f"limit={limit}")
    return Verdict(
        prop,
        dtype,
        Outcome(fields.text("outcome", list(Outcome))),
        fields.count("examples", 0, 2**63),
        fields.number("margin"),
        tolerance,
        _witness(_Fields(fields.held.get("witness"), f"entry {number}, witness"), dtype),
        fields.text("message", default=""),
        fields.text("shown_by", PROPERTIES, default=prop),
        limit,
        fields.text("aggregator"),
        _recheck(fields.held.get("recheck"), tolerance, number),
        None if expected is None else fields.text("expected"),
    )


def _witness(fields: _Fields, dtype: torch.dtype) -> Witness:
    J = fields.tensor("J", None, None, exact=dtype)
    m, n = J.shape
    given = {name for name, value in fields.held.items() if value is not None and value != []}
    certificate = fields.tensor("certificate", m) if "certificate" in given else None
    return Witness(
        Matrix(J, fields.text("kind"), certificate),
        fields.count("seed", 0, 2**64 - 1),
        tuple(fields.tensor("scalings", 2, m)) if "scalings" in given else (),
        fields.tensor("other_matrix", m, n, exact=dtype) if "other_matrix" in given else None,
        fields.tensor("action", n, n) if "action" in given else None,
        fields.count("rounds", 1, ROUNDS) if "rounds" in given else None,
    )


def _recheck(value: object, tolerance: float, number: int) -> Recheck | None:
    if value is None:
        return None
    fields = _Fields(value, f"entry {number}, recheck")
    margin = fields.number("margin")
    definition = fields.held.get("definition")
    summary = fields.text("summary", default="")
    # Earlier versions wrote it within the summary alone.
    before = summary.removeprefix("not rechecked: ") if math.isnan(margin) else summary.partition("; ")[2]
    missing = fields.text("missing", default="" if definition else before)
    held = None
    if definition is not None:
        inner = _Fields(definition, f"{fields.where}, definition")
        if not isinstance(keeps := inner.held.get("keeps"), bool):
            raise inner.error(f"keeps={_brief(keeps)}")
        ulps = inner.number("ulps")
        bearer = Bearer(inner.text("bearer", list(Bearer)))
        held = Definition(inner.text("name"), keeps, math.inf if math.isnan(ulps) else ulps, bearer)
    return Recheck(None if math.isnan(margin) else margin, tolerance, held, missing)
