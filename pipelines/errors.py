"""What a run can say about its own failure."""

import errno
from collections.abc import Iterator

from engine.spec.local_packages import INSTALL_HINT, LOCAL_PACKAGES
from engine.spec.run_folder import ComponentName, RunError

_SENTENCE_LIMIT = 2_000
_OUT_OF_MEMORY = {"MemoryError", "ResourceExhaustedError", "OutOfMemoryException"}


class RunFailure(Exception):
    """A failure whose cause is known.

    Args:
        message: what failed, as one sentence.
        hint: what to do about it; empty when there is nothing to suggest.
        component: where it happened, once known.
    """

    def __init__(
        self, message: str, *, hint: str = "", component: ComponentName | None = None
    ) -> None:
        # In the cloud, all that is known of it is what its traceback ends with.
        super().__init__(" ".join(part for part in (message, hint) if part))
        self.message = message
        self.hint = hint
        self.component: ComponentName | None = component


def explain(error: BaseException) -> RunError:
    """Return what people should read about an exception that ended a run or a component."""
    if isinstance(error, RunFailure):
        return RunError(
            component=error.component, message=_sentence(error.message), hint=_sentence(error.hint)
        )
    for cause in _chain(error):
        if isinstance(cause, RunFailure):
            return explain(cause)
        if _is_disk_full(cause):
            return RunError(
                message="The disk is full: the run could not write its files.",
                hint="Free space, for example with `towerlab delete` and `towerlab gc`, and rerun.",
            )
        if type(cause).__name__ in _OUT_OF_MEMORY:
            return RunError(
                message="The run ran out of memory.",
                hint="Rerun with a smaller sample or batch size.",
            )
        if isinstance(cause, ModuleNotFoundError) and cause.name in LOCAL_PACKAGES:
            return RunError(
                message=f"{cause.name} is not installed.",
                hint=INSTALL_HINT,
            )
    return RunError(
        message=_sentence(f"{type(error).__name__}: {_first_line(error)}"),
        hint="The component's log has the traceback.",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "No space left on device" in str(error)  # TensorFlow and DuckDB have no errno


def _sentence(text: str) -> str:
    """Return a text in one line, not too long, without what has no UTF-8 (parts of file names)."""
    clean = " ".join(text.split()).encode(errors="replace").decode()
    return clean[:_SENTENCE_LIMIT]


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "no message")
