"""What a run came to, for people and for machines."""

from typing import Any

from .run import Outcome

WORDS = {
    "held": "Every law held.",
    "violated": "A law was violated.",
    "inconclusive": "No law was violated, but too little happened for that to mean anything.",
}


def report(outcome: Outcome) -> str:
    """A page: what was done, what struck, the laws, the verdict."""
    plan = outcome.plan
    lines = [
        f"{outcome.store}{', sealed' if plan.sealed else ''}, servers: {plan.nodes}; seed {plan.seed}; "
        f"{plan.seconds:g} s of faults, "
        f"{outcome.seconds:.0f} s in all",
        "",
        *_columns("done", outcome.counts),
        "",
        *_columns("ended", outcome.statuses),
        "",
        *_columns("faults", outcome.faults),
        f"  (disk: {outcome.how})",
        "",
        "law    checked  violated",
    ]
    for finding in outcome.findings:
        lines.append(f"{finding.law:<4} {finding.checked:>9} {finding.violated:>9}  {finding.title}")
        lines += [f"       {example}" for example in finding.examples]
    lines.append("")
    if outcome.trouble is not None:
        lines.append(f"It did not come to a good end: {outcome.trouble}")
    if not outcome.violated:
        lines += [f"Lacking: {why}" for why in outcome.lacking]
    lines.append(WORDS[outcome.verdict])
    lines.append(f"Journals: {outcome.folder}")
    return "\n".join(lines)


def _columns(title: str, counts: dict[str, int]) -> list[str]:
    width = max(map(len, counts), default=0)
    return [title, *(f"  {name:<{width}} {count:>8}" for name, count in counts.items())]


def document(outcome: Outcome) -> dict[str, Any]:
    """The same for machines."""
    return {
        "verdict": outcome.verdict,
        "store": outcome.store,
        "sealed": outcome.plan.sealed,
        "servers": outcome.plan.nodes,
        "seed": outcome.plan.seed,
        "fault_seconds": outcome.plan.seconds,
        "seconds": round(outcome.seconds, 1),
        "counts": outcome.counts,
        "ended": outcome.statuses,
        "faults": outcome.faults,
        "disk_full_by": outcome.how,
        "laws": [
            {
                "law": finding.law,
                "title": finding.title,
                "checked": finding.checked,
                "violated": finding.violated,
                "examples": list(finding.examples),
            }
            for finding in outcome.findings
        ],
        "trouble": outcome.trouble,
        "lacking": list(outcome.lacking),
        "folder": outcome.folder,
    }
