"""The parameters of a list's query, read once and strictly: a wrong one is a `BadRequest` naming it."""

from collections.abc import Collection
from urllib.parse import parse_qsl

from ..core.access import EVERYBODY
from ..core.errors import BadRequest
from ..core.status import Status
from . import moments

MAX_PARAMETERS = 50
MAX_VALUE = 255
OPERATIONS = ("create", "update", "delete", "read")


class Parameters:
    """What a query string says: each name once and one of `names`; an empty value counts as not given.

    A name that is not known is refused: a misspelled filter would otherwise list everything.
    """

    def __init__(self, query: str, names: Collection[str]) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        except ValueError:
            raise BadRequest(f"a query has at most {MAX_PARAMETERS} parameters") from None
        seen: set[str] = set()
        for name, _ in pairs:
            if name not in names:
                what = (
                    f"is not one of {', '.join(names)}" if names else "is too much: there are no parameters"
                )
                raise BadRequest(f"{name[:MAX_VALUE]} {what}", field=name[:MAX_VALUE])
            if name in seen:
                raise BadRequest(f"{name} is given twice", field=name)
            seen.add(name)
        self.given = {name: value for name, value in pairs if value}

    def text(self, name: str) -> str | None:
        value = self.given.get(name)
        if value is not None and len(value) > MAX_VALUE:
            raise BadRequest(f"{name} is longer than {MAX_VALUE} characters", field=name)
        return value

    def whose(self, tenant: str) -> str | None:
        """Whose things a caller of `tenant` asks for; None: of somebody's whom he does not reach."""
        of = self.text("tenant")
        if tenant != EVERYBODY:
            return tenant if of in (None, tenant) else None
        if of is None:
            raise BadRequest("tenant must be given: this key reaches all of them", field="tenant")
        return of

    def operation(self, name: str) -> str | None:
        value = self.given.get(name)
        if value is not None and value not in OPERATIONS:
            raise BadRequest(f"{name} must be one of {', '.join(OPERATIONS)}", field=name)
        return value

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self.given.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 18 and least <= int(value) <= most):
            raise BadRequest(f"{name} must be a whole number from {least} to {most}", field=name)
        return int(value)

    def status(self, name: str) -> Status | None:
        value = self.given.get(name)
        if value is None:
            return None
        try:
            return Status(value)
        except ValueError:
            raise BadRequest(f"{name} must be one of {', '.join(Status)}", field=name) from None

    def moment(self, name: str, *, end: bool = False) -> int | None:
        value = self.given.get(name)
        if value is None:
            return None
        try:
            return moments.parse(value, end=end)
        except ValueError:
            raise BadRequest(f"{name} must be {moments.FORM}", field=name) from None
