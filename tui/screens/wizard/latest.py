"""One question at a time to an engine that takes seconds, and only the newest answer counts."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Generic, TypeVar

from engine.errors import EngineError

_Q = TypeVar("_Q")
_A = TypeVar("_A")
Spawn = Callable[[Coroutine[None, None, None]], object]
"""Runs a coroutine in the background, as `Widget.run_worker`."""


class Latest(Generic[_Q, _A]):
    """Asks the newest of the questions that come; a thread can't be stopped, so none overlap.

    Args:
        ask: answers a question; may raise an EngineError.
        answered: gets each question that is still the newest when its answer is there.
        spawn: runs the asking.
        delay: seconds without a newer question before one is asked.
    """

    def __init__(
        self,
        ask: Callable[[_Q], Awaitable[_A]],
        answered: "Callable[[_Q, _A | EngineError], None]",
        spawn: Spawn,
        *,
        delay: float,
    ) -> None:
        self._ask = ask
        self._answered = answered
        self._spawn = spawn
        self._delay = delay
        self._wanted: list[_Q] = []
        self._running = False

    @property
    def pending(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._wanted)

    def want(self, question: _Q) -> None:
        """Ask this unless it is awaited; what else was asked needs no answer any more."""
        if self._wanted == [question]:
            return
        self._wanted = [question]
        if not self._running:
            self._running = True
            self._spawn(self._run())

    def forget(self) -> None:
        """Want no answer any more."""
        self._wanted = []

    async def _run(self) -> None:
        """Answer until no question is left."""
        try:
            while wanted := self._wanted:
                await asyncio.sleep(self._delay)
                if wanted is not self._wanted:
                    continue
                try:
                    answer: _A | EngineError = await self._ask(wanted[0])
                except EngineError as error:
                    answer = error
                if wanted is self._wanted:
                    self.forget()
                    self._answered(wanted[0], answer)
        finally:
            self._running = False
