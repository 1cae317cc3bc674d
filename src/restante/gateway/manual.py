"""The API's description, for programs and for people: each made once, when it is first asked for.

The page has no script and loads nothing: whoever looks at it is told by the header fields that it never will.
"""

import json
from html import escape
from typing import Any

from ..core.policy import Policy
from .reply import encode

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; color: #222 }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #f4f4f2 }
pre { padding: .5rem; overflow-x: auto }
h2 { border-bottom: 1px solid #ccc }
summary { cursor: pointer; padding: .25rem 0 }
table { border-collapse: collapse }
td, th { text-align: left; vertical-align: top; padding: .1rem 1rem .1rem 0 }
@media (prefers-color-scheme: dark) {
  body { background: #1b1b1b; color: #ddd }
  code, pre { background: #2a2a2a }
}
"""


class Manual:
    """Of one address."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._document: dict[str, Any] | None = None
        self._spelled = b""
        self._shown = ""

    def document(self) -> dict[str, Any]:
        if self._document is None:
            from .openapi import document  # nobody else needs it

            self._document = document(self._policy)
        return self._document

    def spelled(self) -> bytes:
        self._spelled = self._spelled or encode(self.document())
        return self._spelled

    def shown(self) -> str:
        self._shown = self._shown or show(self.document())
        return self._shown


def show(document: dict[str, Any]) -> str:
    """The page."""
    title = f"Restante {escape(str(document['info']['version']))}"
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>",
        "<meta name=viewport content='width=device-width'>",
        f"<style>{STYLE}</style><h1>{title}</h1>",
        "<p>For programs: <a href=openapi.json>openapi.json</a>.</p>",
    ]
    tags: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tags.setdefault(operation["tags"][0], []).append(_call(method, path, operation))
    for tag, calls in tags.items():
        parts += [f"<h2>{escape(tag)}</h2>", *calls]
    parts.append("<h2>Documents</h2>")
    for name, schema in document["components"]["schemas"].items():
        parts.append(
            f"<details id='{escape(name)}'><summary>{escape(name)}</summary>{_json(schema)}</details>"
        )
    return "".join(parts)


def _call(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [
        f"<details><summary><code>{method.upper()} {escape(path)}</code> ",
        f"{escape(operation['summary'])}</summary>",
    ]
    if "description" in operation:
        parts.append(f"<p>{escape(operation['description'].replace('`', ''))}</p>")
    rows = [
        (one["name"], one["in"], one.get("description") or json.dumps(one["schema"]))
        for one in operation["parameters"]
    ]
    if rows:
        parts += ["<table><tr><th>parameter<th>in<th>", *map(_row, rows), "</table>"]
    if "requestBody" in operation:
        parts += ["<p>The body:</p>", _json(operation["requestBody"]["content"])]
    answers = [
        (code, answer["description"], ", ".join(answer.get("content", {})))
        for code, answer in operation["responses"].items()
    ]
    parts += ["<table><tr><th>answer<th><th>", *map(_row, answers), "</table></details>"]
    return "".join(parts)


def _row(cells: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells)


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
