"""Writes what the documentation says about the code from the code: `python docs/generate.py`.

A page is generated between a line `<!-- generated: NAME -->` and the next `<!-- end -->`; what stands
around is written by hand. A test compares.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from restante.cli.entry import restante
from restante.config.kinds import spell_duration
from restante.config.routes import ROUTE
from restante.config.sealing import SEALING
from restante.config.settings import AUTH, TOP
from restante.config.table import Section, Setting
from restante.config.upstreams import RETRY, UPSTREAM
from restante.config.webhooks import WEBHOOKS
from restante.core import masking
from restante.core.errors import Refused
from restante.core.machine import TABLE, TERMINAL
from restante.core.policy import Connections
from restante.failpoints.points import POINTS
from restante.gateway import call, protocol
from restante.gateway.access import NATIVE, ROOMS, Need
from restante.gateway.metrics import GAUGES
from restante.gateway.problems import Problem
from restante.gateway.rooms import Room
from restante.telemetry.prometheus import FAMILIES

DOCS = Path(__file__).parent
BLOCK = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def settings() -> str:
    """Every setting, by section."""
    return "\n".join(_section(section) for section in (TOP, UPSTREAM, RETRY, ROUTE, WEBHOOKS, AUTH, SEALING))


def _section(section: Section) -> str:
    lines = [
        f"## {section.title}",
        "",
        section.meaning,
        "",
        "| setting | value | default | |",
        "|---|---|---|---|",
    ]
    lines += [_row(setting) for setting in section.settings]
    return "\n".join(lines) + "\n"


def _row(setting: Setting[object]) -> str:
    default = "" if setting.default is None else f"`{_toml(setting.default)}`"
    return f"| `{setting.name}` | {setting.kind.form} | {default} | {setting.meaning} |"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case list():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case _:
            return str(value)


def metrics() -> str:
    """Every family, with its kind and labels."""
    lines = ["| name | kind | labels | |", "|---|---|---|---|"]
    for family in FAMILIES:
        name, kind = (family.name, "histogram") if family.buckets else (f"{family.name}_total", "counter")
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{name}` | {kind} | {labels} | {family.about} |")
    for name, about in GAUGES.items():
        lines.append(
            f"| `restante_{name}` | gauge | {'`upstream`' if 'upstream' in about else ''} | {about} |"
        )
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Every command with its own flags."""
    known = {setting.name for setting in TOP.settings}
    parts = []
    for name, command in _named(restante):
        arguments = [str(one.name).upper() for one in command.params if isinstance(one, click.Argument)]
        title = " ".join(["restante", name, *arguments])
        parts += [f"### `{title}`", "", " ".join((command.help or "").split()), ""]
        options = [option for option in command.params if isinstance(option, click.Option)]
        shared = [option for option in options if option.name in known]
        if len(shared) == len(known):
            options = [option for option in options if option not in shared]
        parts += ["| flag | |", "|---|---|", *[_option(option) for option in options]]
        if len(shared) == len(known):
            parts.append(
                "| [every setting at the top](settings.md#at-the-top) | as `--max-body 1MiB`, `--strict` |"
            )
        parts.append("")
    return "\n".join(parts)


def _named(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it, a group before its own."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield before + name, command
        if isinstance(command, click.Group):
            yield from _named(command, f"{before}{name} ")


def _option(option: click.Option) -> str:
    flags = " / ".join([*option.opts, *option.secondary_opts])
    metavar = f" {option.metavar}" if option.metavar else ""
    return f"| `{flags}{metavar}` | {option.help} |"


def life() -> str:
    """The state table as a diagram."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> pending: accepted"]
    for status, moves in TABLE.items():
        ends: dict[str, list[str]] = {}
        for move, end in moves.items():
            ends.setdefault(end, []).append(move)
        lines += [f"    {status} --> {end}: {', '.join(moved)}" for end, moved in ends.items()]
    lines += [f"    {status} --> [*]" for status in TABLE if status in TERMINAL]
    return "\n".join([*lines, "```", ""])


def moves() -> str:
    """The state table as a table."""
    every = list(dict.fromkeys(move for row in TABLE.values() for move in row))
    lines = ["| from \\ move | " + " | ".join(every) + " |", "|---" * (len(every) + 1) + "|"]
    lines += [
        f"| `{status}` | " + " | ".join(row.get(move, "") for move in every) + " |"
        for status, row in TABLE.items()
    ]
    return "\n".join([*lines, ""])


def access() -> str:
    """Every call and the scopes of which it needs one."""
    lines = ["| call | one of these scopes |", "|---|---|"]
    for room, needs in ROOMS.items():
        lines += [_call(method, PLACES[room], need) for method, need in needs.items()]
    lines += [_call(*name.replace("{id}", "ID").split(" ", 1), need) for name, need in NATIVE.items()]
    return "\n".join([*lines, ""])


def _call(method: str, place: str, need: Need) -> str:
    method = "" if method == "*" else f"{method} "
    scopes = ", ".join(f"`{scope}`" for scope in sorted(need.scopes, reverse=True)) or "none is needed"
    scopes += " of the tenant `*`" if need.all else ""
    shown = f"{method}{place}" if "`" in place or " " in place else f"`{method}{place}`"
    return f"| {shown} | {scopes} |"


PLACES = {
    Room.TASK_STATUS: "/async/status/ID",
    Room.TASK_RESULT: "/async/result/ID",
    Room.TRANSACTIONS: "a `transactions` path of the settings",
    Room.TRANSACTION: "a transaction below it",
    Room.TASK: "anything else below `/async/`",
    Room.SUBMIT: 'what a route with `dialect = "transaction"` matches',
    Room.PREFER: "any path with `Prefer: respond-async`",
    Room.THROUGH: "everything that goes straight through (with `keys` only)",
}


def problems() -> str:
    """Every kind of error that is about the request, by code."""
    kinds = sorted(_kinds(Refused), key=lambda kind: (kind.status, kind.title))
    lines = ["| code | `type` ends with | |", "|---|---|---|"]
    for kind in kinds:
        slug = Problem(kind.status, kind.title, "").type.rpartition(":")[2]
        lines.append(f"| {kind.status} | `{slug}` | {' '.join((kind.__doc__ or '').split())} |")
    return "\n".join([*dict.fromkeys(lines), ""])


def _kinds(root: type[Refused]) -> Iterator[type[Refused]]:
    for kind in root.__subclasses__():
        if kind.__module__ in (Refused.__module__, Problem.__module__):
            yield kind
            yield from _kinds(kind)


def limits() -> str:
    """What a connection may cost."""
    own = Connections()
    rows = [
        (
            "a request's head; of trailers or chunk extensions, in one piece",
            f"`max_head`: {_kib(own.head)}",
            "431",
        ),
        ("a request's path and query", f"`max_target`: {_kib(own.target)}", "414"),
        ("a head, from its first byte", f"`head_timeout`: {spell_duration(own.head_timeout)}", "408"),
        (
            "a body, while we wait for it; the time in which an upstream or a disk is slower does not count",
            f"`body_timeout`: {spell_duration(own.body_timeout)}; {_kib(protocol.BODY_BYTES)} in each",
            "408",
        ),
        ("a connection that asks nothing", f"`idle_timeout`: {spell_duration(own.idle_timeout)}", "closed"),
        ("connections to one process", "`max_connections`: what file handles allow", "503"),
        (
            "requests on one connection that wait for the ones before",
            str(protocol.MAX_PIPELINED),
            "closed after those",
        ),
        ("a client that takes nothing of its answer", f"{call.STALLED_SECONDS:g} s", "cut off"),
        ("an answer that is shown on a terminal", _kib(masking.MAX_SHOWN), "a hint"),
    ]
    return "\n".join(
        ["| | limit | beyond |", "|---|---|---|", *("| " + " | ".join(row) + " |" for row in rows), ""]
    )


def failpoints() -> str:
    """Every failpoint, with what it means and where it stands."""
    lines = ["| name | when it is reached | where, below `restante` |", "|---|---|---|"]
    for point in POINTS:
        places = "<br>".join(f"{place.edge} `{place.function}`" for place in point.places)
        lines.append(f"| `{point.name}` | {point.means} | {places} |")
    return "\n".join([*lines, ""])


def _kib(size: int) -> str:
    return f"{size // 1024} KiB"


def proofs() -> str:
    """The last figures of what shows the promises, as it wrote them (tests/proof.py): first what held, then
    what was weak on purpose and had to be caught."""
    found = [json.loads(path.read_text()) for path in sorted((DOCS / "proof").glob("*.json"))]
    held = [
        f"| {_proof(one)} | {_counts(one['operations'])} | {_counts(one['faults'])} | {_when(one)} |"
        for one in found
        if not one["caught"]
    ]
    weak = [
        f"| {_proof(one)} | {', '.join(one['caught'])} | {_counts(one['operations'])} | {_when(one)} |"
        for one in found
        if one["caught"]
    ]
    return "\n".join(
        [
            *("| held | done | struck | |", "|---|---|---|---|", *held, ""),
            *("| weak on purpose | caught by | done until then | |", "|---|---|---|---|", *weak, ""),
        ]
    )


def _proof(one: dict[str, Any]) -> str:
    note = f"; {one['note']}" if one["note"] else ""
    return f"{one['name']}{note} (`{one['by'].partition('::')[0]}`)"


def _counts(counts: dict[str, float]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _when(one: dict[str, Any]) -> str:
    return f"{one['date']}, {one['commit']}"


MADE: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "metrics": metrics,
    "life": life,
    "moves": moves,
    "access": access,
    "problems": problems,
    "limits": limits,
    "failpoints": failpoints,
    "proofs": proofs,
}


def renew(text: str) -> str:
    """The page `text` with its generated parts made again."""
    return BLOCK.sub(lambda match: f"{match[1]}{MADE[match[2]]()}{match[3]}", text)


if __name__ == "__main__":
    for page in DOCS.rglob("*.md"):
        page.write_text(renew(page.read_text()))
