"""Annotations of GitHub Actions: lines of output that it shows at the lines of files."""

from __future__ import annotations


def annotation(
    level: str, message: str, title: str, file: str = "", line: int | None = None
) -> str:
    """A line of output; `level` is `error`, `warning` or `notice`."""
    place = {"file": file, "line": str(line or "")}
    properties = {**{key: value for key, value in place.items() if value}, "title": title}
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {written}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
