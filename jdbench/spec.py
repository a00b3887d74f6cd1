"""Specs, the names by which things are chosen: ``Name``, ``Name(key=literal)``, ``package.module:Name(…)``."""

import ast
import hashlib
import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from jdbench.errors import InputError, unknown_name
from jdbench.exits import survived


class Spec(NamedTuple):
    """A spec taken apart; as a string it is canonical.

    Attributes:
        module: Dotted name of a module, or empty.
        name: Name within the module.
        keywords: Keyword arguments, literals all.

    Example:
        >>> from jdbench.spec import Spec
        >>> str(Spec("my.package", "Mine", {"c": 0.4, "name": "x"}))
        "my.package:Mine(c=0.4,name='x')"
    """

    module: str
    name: str
    keywords: dict[str, Any]

    def __str__(self) -> str:
        """Return the spec with neither blanks between its parts nor empty brackets."""
        path = f"{self.module}:{self.name}" if self.module else self.name
        keywords = ",".join(f"{key}={value!r}" for key, value in self.keywords.items())
        return f"{path}({keywords})" if keywords else path


def parse(text: str, what: str) -> Spec:
    """Return the parts of a spec.

    Args:
        text: The spec.
        what: The kind of thing it names, for the message of an error.

    Returns:
        Module, name and keywords.

    Raises:
        InputError: The text is no spec.

    Example:
        >>> from jdbench.spec import parse
        >>> parse("my.package:Mine(c = 0.4)", "aggregator")
        Spec(module='my.package', name='Mine', keywords={'c': 0.4})
        >>> parse("Mine(c=1 + 1)", "aggregator")
        Traceback (most recent call last):
            ...
        jdbench.errors.InputError: aggregator='Mine(c=1 + 1)', required literal keywords ..., mend the brackets
    """
    path, bracket, _ = text.partition("(")
    module, _, name = path.strip().rpartition(":")
    if not name.isidentifier() or (":" in path and not all(p.isidentifier() for p in module.split("."))):
        raise InputError(
            f"{what}={text!r}, required Name, Name(key=literal) or package.module:Name, got something else, "
            "see `jdbench list`"
        )
    if not bracket:
        return Spec(module, name, {})
    try:
        call = ast.parse("f" + text[text.index("(") :].strip(), mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)) or call.args:
            raise ValueError("something that is no keyword")
        keywords = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords if k.arg}
        if len(keywords) < len(call.keywords):
            raise ValueError("a keyword twice, or none")
        return Spec(module, name, keywords)
    except (SyntaxError, ValueError) as error:
        raise InputError(
            f"{what}={text!r}, required literal keywords such as (c=0.4), got {error}, mend the brackets"
        ) from error


def load(spec: Spec, text: str, what: str) -> Any:
    """Return what ``module:name`` names, the working directory being searched first.

    Args:
        spec: A spec with a module.
        text: The spec as it was given.
        what: The kind of thing it names, for the message of an error.

    Returns:
        Whatever has that name.

    Raises:
        InputError: The module does not import.
        UnknownNameError: The module holds no such name.

    Example:
        >>> from jdbench.spec import load, parse
        >>> text = "fractions:Fraction(numerator=1, denominator=3)"
        >>> load(parse(text, "number"), text, "number")
        <class 'fractions.Fraction'>
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with survived():
            module = importlib.import_module(spec.module)
    except Exception as error:
        raise InputError(
            f"{what}={text!r}, required a module that imports, got {type(error).__name__}: {error}, "
            f"try `python -c 'import {spec.module}'`"
        ) from error
    try:
        return getattr(module, spec.name)
    except AttributeError:
        known = [name for name in dir(module) if not name.startswith("_")]
        raise unknown_name(f"name in {spec.module}", spec.name, known) from None


def build(found: Any, spec: Spec, text: str, what: str) -> Any:
    """Return the thing itself: a class or a factory is called with the keywords, anything else is it.

    Args:
        found: What the spec names.
        spec: The spec, for its keywords.
        text: The spec as it was given.
        what: The kind of thing it names, for the message of an error.

    Returns:
        An instance, or ``found``.

    Raises:
        InputError: The keywords do not fit.

    Example:
        >>> from jdbench.spec import build, load, parse
        >>> text = "fractions:Fraction(numerator=1, denominator=3)"
        >>> spec = parse(text, "number")
        >>> build(load(spec, text, "number"), spec, text, "number")
        Fraction(1, 3)
    """
    if not (inspect.isclass(found) or spec.keywords or _is_factory(found)):
        return found
    try:
        with survived():
            return found(**spec.keywords)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{what}={text!r}, required keywords that {spec.name} takes, got {type(error).__name__}: {error}, "
            "see its documentation"
        ) from error


def _is_factory(found: Any) -> bool:
    """Tell whether it can be called with no arguments, all of its parameters having defaults."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return False
    # What takes keywords alone cannot take a matrix: it makes something.
    return all(p.default is not p.empty or p.kind is p.VAR_KEYWORD for p in parameters)


def slug(name: str) -> str:
    """Return a name in letters, digits and hyphens, different for different names.

    That is the name itself if it qualifies, else what is left of it and eight digits of its digest.

    Example:
        >>> from jdbench.spec import slug
        >>> slug("UPGrad"), slug("CAGrad(c=0.4)")
        ('UPGrad', 'CAGrad-c-0-4-b7f0a7a2')
    """
    clean = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    if clean == name:
        return name
    return f"{clean[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}".lstrip("-")
