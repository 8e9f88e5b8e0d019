"""Comparing 2 to 4 experiments: what differs between them, and whether it made a difference.

What an experiment ran with comes from what was stored with it, never from today's files.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

from engine.analysis.candidate import Candidate
from engine.analysis.pairing import Difference, differences
from engine.analysis.table import Section, sections
from engine.analysis.test_rows import TestRows, read_test_rows
from engine.errors import InvalidInput
from engine.metric_names import lower_is_better, metric_label
from engine.spec import Frozen

FEWEST, MOST = 2, 4


class Pair(Frozen):
    """One experiment beside another.

    Attributes:
        number: of the experiment in question.
        against: of the one that it is compared with.
        differences: of every metric that both have, the primary one first; empty where the
            two cannot be compared.
        verdict: the result in a sentence, or why there is none.
    """

    number: int
    against: int
    differences: tuple[Difference, ...] = ()
    verdict: str

    @property
    def primary(self) -> Difference | None:
        """The difference that the verdict is about; None where there is no claim."""
        return self.differences[0] if self.differences else None


class Comparison(Frozen):
    """Experiments side by side.

    Attributes:
        numbers: of the experiments, in the order of the columns.
        baseline: the one that the others are compared with.
        sections: the table.
        pairs: every other experiment against the baseline, then the remaining pairs.
    """

    numbers: tuple[int, ...]
    baseline: int
    sections: tuple[Section, ...]
    pairs: tuple[Pair, ...]

    def against_baseline(self, number: int) -> Pair | None:
        """Return how an experiment compares with the baseline; None for the baseline itself."""
        found = (p for p in self.pairs if (p.number, p.against) == (number, self.baseline))
        return next(found, None)


def check_numbers(numbers: Sequence[int], baseline: int | None) -> None:
    """Accept what can be asked for.

    Raises:
        InvalidInput: too few or too many experiments, one of them twice, or another baseline.
    """
    if not FEWEST <= len(numbers) <= MOST:
        raise InvalidInput(
            f"{FEWEST} to {MOST} experiments can be compared, not {len(numbers)}.",
            hint="Name them by their numbers, as `towerlab compare 3 5`.",
        )
    twice = [n for i, n in enumerate(numbers) if n in numbers[:i]]
    if twice:
        raise InvalidInput(f"#{twice[0]} is named twice.")
    if baseline is not None and baseline not in numbers:
        raise InvalidInput(f"The baseline #{baseline} is not among the experiments compared.")


def compare(
    candidates: Sequence[Candidate], baseline: int, load: Callable[[Candidate], bytes | None]
) -> Comparison:
    """Compare experiments.

    Args:
        candidates: 2 to 4 completed experiments, in the order of the columns.
        baseline: number of the one that the others are compared with.
        load: gives an experiment's `test_rows.parquet`; None where it is gone.
    """
    by_number = {c.number: c for c in candidates}
    rows = {c.number: _rows(c, load) for c in candidates}
    others = [n for n in by_number if n != baseline]
    wanted = [(n, baseline) for n in others]
    wanted += [(second, first) for first, second in combinations(others, 2)]

    def pair(number: int, against: int) -> Pair:
        two = by_number[number], by_number[against]
        return _pair(*two, rows[number], rows[against], comparisons=len(others))

    return Comparison(
        numbers=tuple(by_number),
        baseline=baseline,
        sections=sections(candidates),
        pairs=tuple(pair(*numbers) for numbers in wanted),
    )


def _rows(candidate: Candidate, load: Callable[[Candidate], bytes | None]) -> TestRows | str:
    """Return an experiment's test rows, or why there are none."""
    content = load(candidate)
    if content is None:
        return f"the test rows of #{candidate.number} are not there any more"
    try:
        return read_test_rows(content)
    except InvalidInput as error:
        return f"of #{candidate.number}: {error.message.rstrip('.')}"


def _pair(
    run: Candidate,
    other: Candidate,
    run_rows: TestRows | str,
    other_rows: TestRows | str,
    *,
    comparisons: int,
) -> Pair:
    def refused(reason: str) -> Pair:
        return Pair(
            number=run.number,
            against=other.number,
            verdict=f"No claim about #{run.number} against #{other.number}: {reason}.",
        )

    for rows in (run_rows, other_rows):
        if isinstance(rows, str):
            return refused(rows)
    assert isinstance(run_rows, TestRows)
    assert isinstance(other_rows, TestRows)
    if not run_rows.same_as(other_rows):
        return refused(_other_rows(run, other, run_rows, other_rows))
    found = differences(run_rows, other_rows, comparisons=comparisons)
    if not found:
        return refused(
            f"a {run.model_type} and a {other.model_type} model have no metric in common"
        )
    primary = run.primary_metric
    found.sort(key=lambda difference: difference.metric != primary)
    return Pair(
        number=run.number,
        against=other.number,
        differences=tuple(found),
        verdict=_verdict(run.number, other.number, found[0]),
    )


def _other_rows(run: Candidate, other: Candidate, rows: TestRows, others: TestRows) -> str:
    reasons = list(run.data_differences(other))
    shared = rows.shared_with(others)
    share = f"{shared:,} of {len(rows):,} test rows are common to both"
    why = "; ".join(reasons) or "the data differ"
    return f"they were tested on other rows ({why}; {share})"


def _verdict(number: int, against: int, difference: Difference) -> str:
    label = metric_label(difference.metric)
    percent = f"{100 * difference.level:.3g}%"
    interval = f"{percent} interval {difference.low:+.4f} to {difference.high:+.4f}"
    if difference.outcome == "no difference":
        seen = max(abs(difference.low), abs(difference.high))
        return (
            f"No difference between #{number} and #{against} that these test rows can show:"
            f" {label} {difference.value:+.4f} ({interval}); up to ±{seen:.4f} can't be excluded."
        )
    lower = ", lower is better" if lower_is_better(difference.metric) else ""
    return (
        f"#{number} is {difference.outcome} than #{against}: {label} {difference.value:+.4f}"
        f" ({interval}{lower})."
    )
