"""Claim, call the upstream, settle; leases; sweeping."""

from .runner import Runner
from .sweeper import Sweeper

__all__ = ["Runner", "Sweeper"]
