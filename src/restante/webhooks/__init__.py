"""Webhooks: signed here, and verified by whoever receives them (`restante.webhooks.verify`).

Receivers import this room, so it must not bring the server with it: nothing that only a server needs is
imported on this page. A test looks.
"""

from ..core.errors import BadRequest
from .signatures import sign
from .verification import Fault, SignatureRefused, verify

__all__ = ["BadRequest", "Fault", "SignatureRefused", "sign", "verify"]
