"""The only room that joins: it knows which store, which clock and which sender there are."""

from .listening import address_of, listen_on
from .serve import Running, serve, start
from .workers import Workers, worker_command

__all__ = ["Running", "Workers", "address_of", "listen_on", "serve", "start", "worker_command"]
