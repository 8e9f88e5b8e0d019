"""Comparing 2 to 4 experiments: what differs between them, and whether it made a difference.

What an experiment ran with comes from what was stored with it, never from today's files.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from engine.analysis.candidate import Candidate
from engine.analysis.pairing import Difference, Measured, differences, measure_together
from engine.analysis.table import Section, sections
from engine.analysis.test_rows import TestRows, read_test_rows
from engine.errors import InvalidInput
from engine.metric_names import ENOUGH_TEST_ROWS, lower_is_better, metric_label
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
    found = {c.number: _rows(c, load) for c in candidates}
    rows = {number: of for number, of in found.items() if isinstance(of, TestRows)}
    reasons = {number: why for number, why in found.items() if isinstance(why, str)}
    measured = _measured(rows)
    others = [n for n in by_number if n != baseline]
    wanted = [(n, baseline) for n in others]
    wanted += [(second, first) for first, second in combinations(others, 2)]

    def pair(number: int, against: int) -> Pair:
        why = reasons.get(number) or reasons.get(against)
        run, other = by_number[number], by_number[against]
        why = why or _incomparable(run, other, rows[number], rows[against])
        if why:
            return _refused(number, against, why)
        between = differences(measured[number], measured[against], comparisons=len(others))
        return _pair(run, other, between)

    return Comparison(
        numbers=tuple(by_number),
        baseline=baseline,
        sections=sections(candidates),
        pairs=tuple(pair(*numbers) for numbers in wanted),
    )


def _measured(rows: Mapping[int, TestRows]) -> dict[int, Measured]:
    """Return what each run's rows measure; runs on the same rows are measured together."""
    found: dict[int, Measured] = {}
    for of in rows.values():
        alike = [n for n, other in rows.items() if n not in found and other.same_as(of)]
        if len(alike) > 1:
            together = measure_together([rows[n] for n in alike])
            found |= dict(zip(alike, together, strict=True))
    return found


def _rows(candidate: Candidate, load: Callable[[Candidate], bytes | None]) -> TestRows | str:
    """Return an experiment's test rows, or why there are none."""
    content = load(candidate)
    if content is None:
        number = candidate.number
        return (
            f"the test rows of #{number} are not there any more (`towerlab rerun {number}` makes"
            " them)"
        )
    try:
        return read_test_rows(content)
    except InvalidInput as error:
        return f"of #{candidate.number}: {error.message.rstrip('.')}"


def _refused(number: int, against: int, reason: str) -> Pair:
    return Pair(
        number=number,
        against=against,
        verdict=f"No claim about #{number} against #{against}: {reason}.",
    )


def _incomparable(run: Candidate, other: Candidate, rows: TestRows, others: TestRows) -> str:
    """Return why nothing can be claimed of two runs; empty where something can."""
    if not rows.same_as(others):
        return _other_rows(run, other, rows, others)
    if len(rows) < ENOUGH_TEST_ROWS:
        return f"{len(rows)} test rows are too few to conclude anything"
    return ""


def _pair(run: Candidate, other: Candidate, between: list[Difference]) -> Pair:
    if not between:
        why = f"a {run.model_type} and a {other.model_type} model have no metric in common"
        return _refused(run.number, other.number, why)
    between.sort(key=lambda difference: difference.metric != run.primary_metric)
    verdict = _verdict(run.number, other.number, between[0])
    trained = "; ".join(run.data_differences(other))
    note = f" They were trained on different data: {trained}." if trained else ""
    return Pair(
        number=run.number,
        against=other.number,
        differences=tuple(between),
        verdict=f"{verdict}{note}",
    )


def _other_rows(run: Candidate, other: Candidate, rows: TestRows, others: TestRows) -> str:
    reasons = list(run.data_differences(other))
    shared = rows.shared_with(others)
    share = f"of {len(rows):,} and {len(others):,} test rows {shared:,} are common to both"
    why = "; ".join(reasons) or "the data differ"
    return f"they were tested on other rows ({why}; {share})"


def _verdict(number: int, against: int, difference: Difference) -> str:
    label = metric_label(difference.metric)
    percent = f"{100 * difference.level:.3g}%"
    interval = f"{percent} interval {difference.low:+.4f} to {difference.high:+.4f}"
    if difference.low == difference.high:
        return (
            f"No difference between #{number} and #{against} that these test rows can show:"
            f" {label} {difference.value:+.4f}, with an interval without width, which shows"
            " nothing about chance."
        )
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
