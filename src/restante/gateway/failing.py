"""Any error as the answer of the path it happened on."""

from ..core.errors import Refused, UpstreamError
from ..core.status import Status
from .call import CLOSE
from .problems import UNKNOWN, NotServed, as_message, as_problem, problem_of
from .reply import Reply
from .rooms import OURS


def failure(error: BaseException, *, path: str, word: str = "") -> Reply:
    """A problem on `/-/`, else a JSON object with `message`. `word` is the status of the transaction that
    this is about, where one was found. A refusal for now says nothing of it: a 503 that says `failed` is the
    work's own end, and is not asked for again."""
    problem = problem_of(error)
    if isinstance(error, Refused) and problem.status == 503:
        word = ""
    status = word or (Status.FAILED if isinstance(error, UpstreamError) else UNKNOWN)
    ours = path.startswith(OURS)
    reply = as_problem(problem, path, status=status) if ours else as_message(problem, status=status)
    if isinstance(error, NotServed):  # what would follow on this connection is not what we read
        reply.headers.append(CLOSE)
    return reply
