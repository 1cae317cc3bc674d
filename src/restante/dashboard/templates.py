"""Templates, and the files that pages load: read once. Whatever is put into a page is escaped."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..core.endpoint import origin_of
from ..core.masking import masked_text
from . import spelling

HERE = Path(__file__).parent
KINDS = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}

STATIC: dict[str, tuple[bytes, bytes]] = {
    path.name: (KINDS[path.suffix], path.read_bytes()) for path in sorted((HERE / "static").iterdir())
}
"""By name: media type and content."""

STATIC_VERSION = sha256(b"".join(content for _, content in STATIC.values())).hexdigest()[:12]

_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.filters.update(
    instant=spelling.instant,
    iso=spelling.iso,
    span=spelling.span,
    bytes=spelling.size,
    number=spelling.number,
    rate=spelling.rate,
    masked=masked_text,
    broken=spelling.broken,
    origin=origin_of,
)
_environment.globals["glyph"] = spelling.GLYPHS


def render(template: str, **context: Any) -> str:
    return _environment.get_template(template).render(**context)
