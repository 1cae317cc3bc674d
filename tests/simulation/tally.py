"""What many seeds were, together."""

from collections import Counter

from restante.torture.laws import LAWS

from .run import Outcome


class Tally:
    """`add` each; `failed` are the seeds that did not hold."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.hours = 0.0
        self.seconds = 0.0  # of computing, on however many cores
        self.seeds = 0
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()  # by law, how often it could be held against something

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.hours += outcome.hours
        self.seconds += outcome.seconds
        self.counts += Counter(outcome.counts)
        self.counts["steps"] += outcome.steps
        self.counts["commits"] += outcome.commits
        self.counts["lives of servers"] += outcome.lives
        self.faults += Counter(outcome.faults)
        self.checked += Counter(outcome.checked)
        if outcome.violated:
            self.failed.append(outcome.seed)

    @property
    def operations(self) -> dict[str, float]:
        """How much was done."""
        return {"seeds": self.seeds, "simulated hours": round(self.hours, 1), **self.counts}

    @property
    def unchecked(self) -> list[str]:
        """The laws that were held against nothing."""
        return [law for law in LAWS if not self.checked[law]]

    def text(self) -> str:
        speed = self.hours / self.seconds if self.seconds else 0.0
        return "\n".join(
            [
                f"{self.seeds} seeds, {self.hours:,.0f} simulated hours in {self.seconds:,.0f} s of computing"
                f" ({speed:.1f} h/s)",
                ", ".join(f"{count:,} {what}" for what, count in self.counts.most_common()),
                "faults: " + ", ".join(f"{kind} ×{count:,}" for kind, count in self.faults.most_common()),
                "held: " + ", ".join(f"{law} ×{self.checked[law]:,}" for law in LAWS),
                *([f"held against nothing: {', '.join(self.unchecked)}"] if self.unchecked else []),
                f"failed: {', '.join(self.failed) or 'none'}",
            ]
        )
