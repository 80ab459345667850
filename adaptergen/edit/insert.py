"""The least text that puts an item into a container, in the form that the others have."""

from __future__ import annotations

from itertools import pairwise

from adaptergen.edit.container import Container
from adaptergen.edit.order import place
from adaptergen.edit.text import Splice, Text


def insertion(
    text: Text, container: Container, name: str, item: str, under: str = "", heading: bool = False
) -> list[Splice]:
    """The splices that put `item`, called `name`, where it belongs.

    An item that no order gives a place goes to the end, or to the end of the group below the
    comment `under` if there is one. `heading`: the group is made if it is not there.
    """
    items = container.items
    if not items:
        return [_into_nothing(text, container, item)]
    groups = _groups(text, container)
    at = None if heading else place(container.names, groups, name)
    if at is not None:
        return (
            _after(text, container, at - 1, item) if at else [_before_first(text, container, item)]
        )
    last = _last_of_group(text, container, groups, under) if under else None
    if last is None and heading and _on_own_lines(text, container):
        item = f"# {under}\n{item}"
    return _after(text, container, len(items) - 1 if last is None else last, item)


def group_under(text: Text, container: Container, under: str) -> list[str | None]:
    """The names of the items in the group that opens with a comment."""
    groups = _groups(text, container) if container.items else []
    last = _last_of_group(text, container, groups, under)
    if last is None:
        return []
    return [
        item.name
        for item, group in zip(container.items, groups, strict=True)
        if group == groups[last]
    ]


def _after(text: Text, container: Container, number: int, item: str) -> list[Splice]:
    before = container.items[number]
    last = number == len(container.items) - 1
    follows = container.closing if last else container.items[number + 1].start
    comma = "," if before.comma is not None else ""
    if not container.bracketed or "\n" not in text.text[before.behind : follows]:
        if comma:
            return [Splice.insert(before.behind, f" {item},")]
        return [Splice.insert(before.end, f", {item}")]
    line = f"\n{_indented(item, _indent(text, container, number))}{comma}"
    splices = [Splice.insert(text.line_end(before.behind), line)]
    return splices if comma else [Splice.insert(before.end, ","), *splices]


def _before_first(text: Text, container: Container, item: str) -> Splice:
    first = container.items[0]
    if container.bracketed and _starts_line(text, first.start):
        line = _indented(item, text.indent(first.start))
        return Splice.insert(text.line_start(first.start), f"{line},\n")
    return Splice.insert(first.start, f"{item}, ")


def _into_nothing(text: Text, container: Container, item: str) -> Splice:
    comma = "," if text.text[container.opening - 1] == "(" else ""
    if "\n" not in text.text[container.opening : container.closing]:
        return Splice.insert(container.closing, f"{item}{comma}")
    indent = text.indent(container.closing) + "    "
    if _starts_line(text, container.closing):
        line = f"{_indented(item, indent)},\n"
        return Splice.insert(text.line_start(container.closing), line)
    return Splice.insert(container.closing, f"{item},")


def _indent(text: Text, container: Container, number: int) -> str:
    for item in (container.items[number], *container.items):
        if _starts_line(text, item.start):
            return text.indent(item.start)
    return text.indent(container.opening) + "    "


def _indented(item: str, indent: str) -> str:
    return "\n".join(f"{indent}{line}" for line in item.split("\n"))


def _starts_line(text: Text, offset: int) -> bool:
    return not text.text[text.line_start(offset) : offset].strip()


def _on_own_lines(text: Text, container: Container) -> bool:
    last = container.items[-1]
    return "\n" in text.text[last.behind : container.closing]


def _groups(text: Text, container: Container) -> list[int]:
    """The group of each item: comments and blank lines of their own part them."""
    groups, current = [0], 0
    for before, item in pairwise(container.items):
        between = text.text[before.behind : item.start].split("\n")[1:-1]
        # A line between two items holds a comment or nothing, or the comma.
        current += any(line.strip().startswith("#") or not line.strip() for line in between)
        groups.append(current)
    return groups


def _last_of_group(text: Text, container: Container, groups: list[int], under: str) -> int | None:
    """The last item of the group that opens with the comment `under`."""
    wanted = f"# {under}".casefold()
    previous = container.opening
    for number, item in enumerate(container.items):
        lines = text.text[previous : item.start].split("\n")
        if any(line.strip().casefold() == wanted for line in lines):
            return max(other for other, group in enumerate(groups) if group == groups[number])
        previous = item.behind
    return None
