"""Which transaction may follow which: captures and voids of authorizations, refunds of what was charged."""

from .ledger import Kind, Ledger, Status, Transaction

PARENTS = {
    Kind.CAPTURE: (Kind.AUTHORIZATION,),
    Kind.VOID: (Kind.AUTHORIZATION,),
    Kind.REFUND: (Kind.PAYMENT, Kind.CAPTURE),
    Kind.CHARGEBACK: (Kind.PAYMENT, Kind.CAPTURE),
}

SPENDERS = {
    Kind.CAPTURE: (Kind.CAPTURE, Kind.VOID),
    Kind.VOID: (Kind.CAPTURE, Kind.VOID),
    Kind.REFUND: (Kind.REFUND, Kind.CHARGEBACK),
    Kind.CHARGEBACK: (Kind.REFUND, Kind.CHARGEBACK),
}
"""Which children share the parent's money with this one."""


def objection(kind: Kind, parent: Transaction, amount: int, ledger: Ledger) -> str | None:
    """Why `parent` cannot have this child, for `errors.base`; None if it can."""
    if parent.kind not in PARENTS[kind]:
        return f"Transaction can't be a {kind} of a {parent.kind}"
    if parent.status is not Status.SUCCESSFUL:
        return f"Transaction can't be a {kind}: the parent transaction is {parent.status}"
    left = parent.amount - ledger.spent(parent, *SPENDERS[kind])
    if amount > left:
        return (
            f"Transaction can't be a {kind}: amount is greater than the {left} left of the parent transaction"
        )
    return None
