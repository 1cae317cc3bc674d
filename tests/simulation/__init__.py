"""The whole of it on a virtual clock: one seed decides every interleaving, delay, crash and clock jump.

Nothing of the product is replaced but what surrounds a process: the event loop and its clock (`loop`), the
network (`network`), the threads and the disk of the store (`disk`), chance. On top of these run the real
server as `assembly.start` makes it, several processes of callers, the upstream and the receivers, as they are
in `restante.torture`; its checker holds the same laws against the same journals. A seed that fails, fails
again: `python -m tests.simulation --seed N --trace` (docs/why/0025-simulation.md).
"""
