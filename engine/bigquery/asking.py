"""Asking BigQuery from a process that doesn't load Google's library: a child does, and answers."""

import subprocess
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from engine.bigquery.facts import Answer, Question, Reading
from engine.config import CloudSettings
from engine.errors import EnvironmentNotReady, InvalidInput

DEADLINE_SECONDS = 60.0


def ask_reading(
    queries: Sequence[str],
    settings: CloudSettings,
    project: str,
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Reading:
    """Return what queries would read, by BigQuery's dry run.

    Args:
        queries: in BigQuery's SQL.
        settings: say where BigQuery is.
        project: whose quota and bill it is.
        deadline_seconds: after which the asking is given up.

    Raises:
        InvalidInput: a table is missing, or BigQuery doesn't take a query.
        EnvironmentNotReady: BigQuery can't be asked now; says why.
    """
    question = Question(
        project=project,
        endpoint=settings.endpoints.bigquery,
        queries=tuple(queries),
    )
    answer = _asked(question, deadline_seconds)
    if answer.failure is not None:
        kind = InvalidInput if answer.failure.is_input else EnvironmentNotReady
        raise kind(answer.failure.message, hint=answer.failure.hint)
    assert answer.reading is not None
    return answer.reading


def _asked(question: Question, deadline_seconds: float) -> Answer:
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", "-m", "engine.bigquery.answering"],
            input=question.model_dump_json(),
            capture_output=True,
            text=True,
            timeout=deadline_seconds,
            check=False,
        )
        return Answer.model_validate_json(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentNotReady(
            f"BigQuery didn't answer within {deadline_seconds:.0f} s.",
            hint="Is there a network? `towerlab doctor` checks.",
        ) from error
    except (OSError, ValidationError) as error:
        raise EnvironmentNotReady(
            "BigQuery can't be asked: the process that asks it ended without an answer.",
            hint="Run `towerlab doctor`.",
        ) from error
