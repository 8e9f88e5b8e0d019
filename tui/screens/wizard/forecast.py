"""What the engine would make of what is filled in: its plan, asked again after each change."""

from collections.abc import Callable
from typing import Final

from engine.errors import EngineError
from engine.planning import Plan, QuickTestRequest
from engine.promote import Transfer
from tui.link import Link
from tui.screens.wizard.latest import Latest, Spawn

_DELAY: Final = 0.25
"""Seconds without another change before the data is read."""
_CLOUD_DELAY: Final = 1.0
"""Seconds without another plan before BigQuery is asked."""


class Forecast:
    """Knows the plan of the newest request, or why there is none.

    Args:
        link: asks the engine.
        told: called when an answer is there.
        spawn: runs the asking.
    """

    def __init__(self, link: Link, told: Callable[[], None], spawn: Spawn) -> None:
        self._told = told
        self._wanted: QuickTestRequest | None = None
        self._plans = Latest[QuickTestRequest, Plan](
            lambda request: link.ask(lambda engine: engine.plan(request)),
            self._answered,
            spawn,
            delay=_DELAY,
        )
        self._transfers = Latest[Plan, Transfer | None](
            lambda plan: link.ask(lambda engine: engine.transfer(plan)),
            self._transfer_answered,
            spawn,
            delay=_CLOUD_DELAY,
        )
        self.transfer: Transfer | EngineError | None = None
        """What the plan moves in the cloud; None while it is awaited, and on this machine."""
        self.answer: Plan | EngineError | None = None
        """Of the newest request; None while it is awaited, or nothing can be asked."""

    @property
    def pending(self) -> bool:
        """Whether an answer is awaited."""
        return self._plans.pending

    def want(self, request: QuickTestRequest | None) -> None:
        """Ask for a plan unless it is known or awaited; None when nothing can be asked."""
        if request is not None:  # what it is called changes nothing
            request = request.replace(name="", description="", tags=())
        if request == self._wanted:
            return
        self._wanted = request
        self.answer = self.transfer = None
        self._transfers.forget()
        if request is None:
            self._plans.forget()
        else:
            self._plans.want(request)

    def again(self) -> None:
        """Ask once more: definitions or data may have changed."""
        request, self._wanted = self._wanted, None
        self._plans.forget()
        self.want(request)

    def _answered(self, request: QuickTestRequest, answer: Plan | EngineError) -> None:
        del request
        self.answer, self.transfer = answer, None
        if isinstance(answer, Plan) and answer.request.backend == "vertex":
            self._transfers.want(answer)
        self._told()

    def _transfer_answered(self, plan: Plan, answer: Transfer | EngineError | None) -> None:
        del plan
        self.transfer = answer
        self._told()
