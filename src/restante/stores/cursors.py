"""Cursors that lead nowhere are refused, by every store alike: an empty page would be taken for the end."""

from ..core.errors import BadRequest


def unknown() -> BadRequest:
    """Of a list of deliveries: it is none of this list's, or what it stood behind is removed."""
    return BadRequest(
        "after must be the next of an earlier page, while its deliveries are kept (webhooks.retention)",
        field="after",
    )


def malformed() -> BadRequest:
    """Of the feed."""
    return BadRequest("after must be the next of an earlier answer", field="after")


def foreign() -> BadRequest:
    """Of the feed: nothing of this store has been there yet."""
    return BadRequest(
        "after is of another database, or from before this one was restored; begin without it", field="after"
    )
