"""The only room that joins: it knows which store, which clock and which sender there are."""

from .serve import Running, serve, start

__all__ = ["Running", "serve", "start"]
