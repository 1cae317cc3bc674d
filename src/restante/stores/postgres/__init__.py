"""The store on PostgreSQL: any number of processes on one database."""

from .store import PostgresStore

__all__ = ["PostgresStore"]
