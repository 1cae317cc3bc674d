"""`restante torture`: real servers, real clients, faults; then a checker holds what all of them noted against
the laws of `docs/concepts/guarantees.md`.

Everybody keeps a journal (`journal`): clients of what they asked and were answered, the upstream of every
call and what it answered, receivers of every webhook, whoever makes faults of each fault; at the end the
server's own word is read through its API. The checker (`history`, `laws`) is nothing but functions over
these entries. It sees no process, no socket and no clock, so that it can be tested with histories made by
hand.

The other modules are what makes the histories: `clients`, `upstream`, `receivers`, `faults`, `servers`,
`audit`; and `run`, which joins them. Nothing here is imported by a server.
"""
