"""Pages for people: what goes on, what went on, and what can be done about it.

Read `dashboard → visit → session → overview → transactions → transaction → actions`. Nothing is kept
here: every page is made of the store, so that no restart loses anything of it.
"""

from .dashboard import Dashboard

__all__ = ["Dashboard"]
