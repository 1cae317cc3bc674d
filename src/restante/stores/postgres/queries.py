"""The statements in queries.sql, by name.

Each is whole in itself: one statement is one round trip and, where it writes, one commit. So no transaction,
no lock and no setting is kept from one to the next, and any connection, a pooler's too, will do for each.
"""

from pathlib import Path

from ..statements import read_statements

QUERIES = read_statements(Path(__file__).with_name("queries.sql"))
