"""The right pane of step 2: the rows that a run would use, warnings, the resolved parameters."""

import math
import os
from collections.abc import Iterator, Sequence

from textual.content import Content

from engine.errors import EngineError
from engine.formats import size
from engine.planning import Plan
from engine.promote import Transfer
from engine.spec import EarlyStopping, Split
from engine.text import safe_line
from tui.look import BAD, BOLD, MUTED, WARNING, Look
from tui.screens.wizard import drawing
from tui.screens.wizard.blame import stands_beside
from tui.widgets.line_block import LineBlock


class MeaningOfHow(LineBlock):
    """Shows what the engine made of the request.

    Args:
        look: what the terminal can show.
    """

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="meaning-how")
        self._answer: Plan | EngineError | None = None
        self._transfer: Transfer | EngineError | None = None
        self._awaited = False

    def show(
        self,
        answer: Plan | EngineError | None,
        transfer: Transfer | EngineError | None,
        *,
        awaited: bool,
    ) -> None:
        """Show an answer; None where there is none, because a field is wrong or it is awaited."""
        self._answer, self._transfer = answer, transfer
        self._awaited = awaited
        self.redraw()

    def lines(self, width: int) -> Sequence[Content]:
        """Return the lines."""
        return list(self._lines(width))

    def _lines(self, width: int) -> Iterator[Content]:
        answer = self._answer
        yield Content.styled("Rows", BOLD)
        if isinstance(answer, Plan):
            yield from drawing.split_rows(answer.rows)
            yield Content("")
            yield from self._warning_lines(answer, width)
            yield Content.styled("Parameters", BOLD)
            for label, parts in _settings(answer, self._transfer).items():
                yield from drawing.setting(label, parts, self.look, width)
        elif isinstance(answer, EngineError) and not stands_beside(answer.message):
            yield from drawing.wrapped(answer.message, BAD, width)
            if answer.hint:
                yield from drawing.wrapped(answer.hint, "", width)
        elif self._awaited:
            yield drawing.waiting("reading the data …", self.look)
        else:
            yield from drawing.wrapped("Known when every field is right.", MUTED, width)

    def _warning_lines(self, plan: Plan, width: int) -> Iterator[Content]:
        if not plan.warnings:
            yield drawing.good("Nothing to warn of.", self.look)
            yield Content("")
        for warning in plan.warnings:
            if not stands_beside(warning):
                first, *rest = drawing.wrapped(warning, "", width, indent="  ")
                yield Content.assemble(("! ", f"{BOLD} {WARNING}"), first[2:])
                yield from rest
                yield Content("")


def _settings(plan: Plan, transfer: Transfer | EngineError | None) -> dict[str, list[str]]:
    params = plan.params
    steps = math.ceil(plan.rows.train / params.batch_size)
    return {
        "sample": [f"{params.sample_percent:g}% of the {params.sample_by}s"],
        "split": _split_words(params.split),
        "epochs": [f"{params.epochs:,}", f"{steps:,} step{'' if steps == 1 else 's'} each"],
        "batch size": [f"{params.batch_size:,}"],
        "rate": [f"{params.learning_rate:g}", plan.model.optimizer],
        "stop early": _stopping_words(params.early_stopping),
        "seed": [
            str(params.seed),
            f"split seed {params.split_seed}",
            *(["repeatable"] if params.deterministic else []),
        ],
        "runs on": _machine_words(plan),
        **(_transfer_words(transfer) if plan.request.backend == "vertex" else {}),
    }


def _transfer_words(transfer: Transfer | EngineError | None) -> dict[str, list[str]]:
    if transfer is None:
        return {"reads": ["not known yet"]}
    if isinstance(transfer, EngineError):
        return {"reads": [safe_line(transfer.message, limit=200)]}
    if transfer.bytes is None:
        return {"reads": [safe_line(transfer.unknown, limit=200)]}
    if transfer.uploads:
        return {"sends": [f"about {size(transfer.bytes)}"]}
    return {"reads": [size(transfer.bytes), "BigQuery"]}


def _machine_words(plan: Plan) -> list[str]:
    if plan.params.machine_type is not None:
        return ["Google Cloud", f"Dataflow on {plan.params.machine_type}"]
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return ["this machine", f"{cores} cores, {memory / 1e9:.0f} GB"]


def _stopping_words(stopping: EarlyStopping | None) -> list[str]:
    if stopping is None:
        return ["no"]
    monitor = "validation loss" if stopping.monitor == "val_loss" else "primary metric"
    return [monitor, f"patience {stopping.patience:,}"]


def _split_words(split: Split) -> list[str]:
    if split.kind == "time-holdout":
        return ["time holdout", f"last {split.holdout_days} days test"]
    if split.kind == "strict-time":
        return ["strict time", f"{split.train_days} / {split.val_days} / {split.test_days} days"]
    return ["random", "80/15/5"]
