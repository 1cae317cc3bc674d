"""Failpoints: named steps of a transaction's and a delivery's life at which a process is made to die.

    python -m restante.failpoints 'mark.committed=kill' serve --upstream URL

A server that is started otherwise holds nothing of it: no room imports this one, and no step asks anything.
Where one is wanted, it is put around the function it stands at (putting.py) before anything is run, in that
process and in those that it starts. `points.py` is the table, and what a newcomer reads.
"""
