"""What the stored integers mean, in every store. None is ever reused for something else."""

from ..core.delivery import State
from ..core.status import Dialect, EventKind, Outcome, Phase, Reading, Status

STATUSES = (Status.PENDING, Status.PROCESSING, Status.COMPLETED, Status.FAILED, Status.CANCELLED)
OUTCOMES = (
    Outcome.ANSWERED,
    Outcome.UNREACHABLE,
    Outcome.TIMED_OUT,
    Outcome.INTERRUPTED,
    Outcome.EXPIRED,
)
DIALECTS = (Dialect.TASK, Dialect.TRANSACTION, Dialect.PREFER)
KINDS = (EventKind.TRANSITION, EventKind.FAILURE, EventKind.INFO, EventKind.DELAY)

STATUS = {status: number for number, status in enumerate(STATUSES)}
OUTCOME: dict[Outcome | None, int | None] = {outcome: number for number, outcome in enumerate(OUTCOMES)}
OUTCOME[None] = None
DIALECT = {dialect: number for number, dialect in enumerate(DIALECTS)}
KIND = {kind: number for number, kind in enumerate(KINDS)}
PHASES = tuple(Phase)
READINGS = tuple(Reading)
PHASE = {phase: number for number, phase in enumerate(PHASES)}
READING = {reading: number for number, reading in enumerate(READINGS)}
STATES = (State.WAITING, State.SENDING, State.DELIVERED, State.DEAD)
STATE = {state: number for number, state in enumerate(STATES)}

FINISHED = 2
"""Statuses from here on are terminal; the SQL says `status < 2` for what is not finished. So it is with the
states of deliveries."""
