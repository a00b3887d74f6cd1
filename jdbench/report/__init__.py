"""Leaderboards as tables, figures and offline pages."""

from jdbench.errors import MissingExtraError

try:
    from jdbench.report.site import write_report
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"jinja2", "markupsafe", "matplotlib"}:
        raise
    raise MissingExtraError(
        f'jdbench.report, required {error.name}, got no such package, run `pip install "jdbench[report]"`'
    ) from error

__all__ = ["write_report"]
