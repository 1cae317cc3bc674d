"""For mkdocs (mkdocs.yml): pages that link out of docs/ do so in the repository; on the site those files are
pages too, and what has no place in the menu is found by its links."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()(?!\w+:)([^)#\s]+)(#[^)\s]*)?(\))")
REPOSITORY = "repository"
"""Below this the site has what the repository has outside docs/."""


def on_files(files: Files, config: Any) -> Files:
    """Every file outside docs/ that a page, or such a file, links to."""
    waiting = [(f"docs/{file.src_uri}", file.content_string) for file in files.documentation_pages()]
    known: set[str] = set()
    while waiting:
        place, text = waiting.pop()
        for _, target, _, _ in LINK.findall(text):
            path = _there(place, target)
            if path is None or path.startswith("docs/") or path in known:
                continue
            known.add(path)
            content = _content(path)
            files.append(File.generated(config, _page(path), content=content))
            waiting.append((path, content))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links lead to pages of the site, wherever in the repository both are."""
    uri = page.file.src_uri
    place = _source(uri)

    def led(match: re.Match[str]) -> str:
        path = _there(place, match[2])
        if path is None:
            return match[0]
        return f"{match[1]}{posixpath.relpath(_page(path), posixpath.dirname(uri))}{match[3] or ''}{match[4]}"

    return LINK.sub(led, markdown)


def _there(place: str, target: str) -> str | None:
    """The file of the repository that a link leads to from a file, if there is one."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
    return path if not path.startswith("../") and (ROOT / path).is_file() else None


def _page(path: str) -> str:
    """Where the site has a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"{REPOSITORY}/{path if path.endswith('.md') else path + '.md'}"


def _source(uri: str) -> str:
    """The file that a page of the site is made of."""
    if not uri.startswith(f"{REPOSITORY}/"):
        return f"docs/{uri}"
    path = uri.removeprefix(f"{REPOSITORY}/")
    return path if (ROOT / path).is_file() else path.removesuffix(".md")


def _content(path: str) -> str:
    text = (ROOT / path).read_text()
    return text if path.endswith(".md") else f"# {path}\n\n```{Path(path).suffix.lstrip('.')}\n{text}\n```\n"
