"""How notebooks show a container: as a table of its first entries."""

from html import escape
from itertools import islice

_row_count_max = 100
_text_size_max = 200


def _cell(value):
    text = repr(value)
    if len(text) > _text_size_max:
        text = text[: _text_size_max - 3] + "..."
    return escape(text)


def describe(container):
    is_mapping = hasattr(container, "items")
    rows = islice(container.items() if is_mapping else enumerate(container), _row_count_max)
    body = "".join(f"<tr><th>{_cell(key)}</th><td>{_cell(value)}</td></tr>" for key, value in rows)
    count = len(container)
    more = f", the first {_row_count_max} of them" if count > _row_count_max else ""
    title = f"{type(container).__name__}, {count} {'entries' if is_mapping else 'elements'}{more}"
    return f"<table><caption>{escape(title)}</caption>{body}</table>"
