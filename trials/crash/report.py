"""What a trial did and what it found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from trials.crash.ledger import Books


@dataclass
class Report:
    """Counts of one trial.

    Attributes:
        kills: By kind of process and by what was going on.
        books: What was promised.
        violations: What must not have happened; none, if all is well.
        exit_code: Of the last gateway, which was ended with SIGTERM.
        swept: What the last sweep deleted.
    """

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    books: Books = field(default_factory=Books)
    violations: list[str] = field(default_factory=list)
    exit_code: int | None = None
    swept: str = ""
    seconds: float = 0.0

    def of_kind(self, kind: str) -> int:
        """Kills of a kind of process."""
        return sum(n for (killed, _), n in self.kills.items() if killed == kind)

    def __str__(self) -> str:
        jobs = self.books.jobs.values()
        again = [job.attempts for job in jobs if job.attempts > 1]
        states = Counter(f"{job.kind} {job.final}" for job in jobs)
        kinds = sorted({kind for kind, _ in self.kills})
        lines = [f"{sum(self.kills.values())} kills in {self.seconds:.0f} s"]
        for kind in kinds:
            lines.append(f"  {kind}: {self.of_kind(kind)}")
            phases = {phase: n for (k, phase), n in self.kills.items() if k == kind}
            lines += [
                f"    {count:4d}  {phase}"
                for phase, count in sorted(phases.items(), key=lambda one: -one[1])
            ]
        lines.append("acknowledged")
        lines += [
            f"  {count:5d}  {kind}"
            for kind, count in sorted(self.books.answers.items())
        ]
        lines.append("jobs")
        lines += [f"  {count:5d}  {state}" for state, count in sorted(states.items())]
        most = max(again, default=1)
        lines.append(f"  {len(again)} took more than one attempt, at most {most}")
        lines.append(f"swept at the end: {self.swept}")
        lines.append(f"exit code of the last gateway: {self.exit_code}")
        lines.append(f"violations: {len(self.violations)}")
        lines += [f"  - {violation}" for violation in self.violations]
        return "\n".join(lines)
