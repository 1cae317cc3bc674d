"""A file of statements, each under its name: `-- name: such_and_such`, comments, text."""

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def read_statements(path: Path) -> dict[str, str]:
    """The text of each by name, without its comments."""
    parts = _NAME.split(path.read_text(encoding="utf-8"))[1:]
    return {
        name: "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
