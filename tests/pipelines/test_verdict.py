"""What a run's end means, in words."""

import errno
import signal
from datetime import UTC, datetime

import pytest

from engine.spec.local_packages import INSTALL_HINT
from pipelines.errors import RunFailure, explain
from pipelines.verdict import judge

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_run_that_finished_is_completed_even_if_it_was_asked_to_end():
    assert judge(0, "cancel", None, START).outcome == "completed"


def test_a_run_that_was_never_started_is_cancelled_without_an_exit_code():
    record = judge(None, "cancel", None, START)
    assert (record.outcome, record.exit_code, record.error) == ("cancelled", None, None)


@pytest.mark.parametrize("exit_code", [1, -signal.SIGTERM, -signal.SIGKILL])
def test_a_run_that_did_not_finish_after_a_cancel_is_cancelled(exit_code: int):
    assert judge(exit_code, "cancel", None, START).outcome == "cancelled"


def test_the_runs_own_words_come_first():
    error = explain(RunFailure("No rows are left.", hint="Widen the filter.", component="Examples"))
    assert judge(1, None, error, START).error == error


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (-signal.SIGKILL, "by someone, or by the system for lack of memory"),
        (-signal.SIGSEGV, "signal 11 (SIGSEGV)"),
        (3, "exit code 3"),
    ],
)
def test_a_run_that_said_nothing_is_explained_by_its_exit_code(exit_code: int, words: str):
    record = judge(exit_code, None, None, START)
    assert record.outcome == "failed"
    assert record.error is not None
    assert words in record.error.message


def test_a_full_disk_is_recognised_in_errors_of_any_library():
    wrapped = RuntimeError("while running Transform")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert "disk is full" in explain(wrapped).message
    assert "disk is full" in explain(ValueError("write: No space left on device")).message


def test_a_known_cause_is_found_under_what_libraries_wrap_around_it():
    wrapped = RuntimeError("long text of Beam")
    wrapped.__cause__ = RunFailure("The file is gone.")
    assert explain(wrapped).message == "The file is gone."


def test_an_unknown_cause_is_named_by_its_type_and_first_line():
    assert explain(KeyError("user")).message == "KeyError: 'user'"
    assert explain(ValueError("\n\nfirst\nsecond")).message == "ValueError: first"
    assert explain(ValueError()).message == "ValueError: no message"
    assert len(explain(ValueError("x" * 100_000)).message) == 2_000


def test_what_a_run_says_is_one_line_of_valid_text():
    failure = RunFailure("Can't read\n  'caf\udce9.csv'." + "x" * 100_000)
    message = explain(failure).message
    assert message.startswith("Can't read 'caf?.csv'.x")
    assert len(message) == 2_000


@pytest.mark.parametrize("name", ["MemoryError", "ResourceExhaustedError", "OutOfMemoryException"])
def test_a_lack_of_memory_is_recognised_in_errors_of_any_library(name: str):
    error = type(name, (Exception,), {})("OOM when allocating a tensor")
    assert "out of memory" in explain(error).message


def test_a_missing_library_says_what_to_install():
    error = explain(ModuleNotFoundError("No module named 'tfx'", name="tfx"))
    assert error.message == "tfx is not installed."
    assert error.hint == INSTALL_HINT
