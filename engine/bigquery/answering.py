"""`python -m engine.bigquery.answering`: a `Question` on standard input, an `Answer` on output."""

import sys

from engine.bigquery.facts import Answer, Failure, Question
from engine.errors import EngineError, InvalidInput


def main() -> None:
    """Answer."""
    question = Question.model_validate_json(sys.stdin.read())
    from engine.bigquery.warehouse import Warehouse

    try:
        warehouse = Warehouse(question.project, question.endpoint)
        answer = Answer(reading=warehouse.reading(question.queries))
    except EngineError as error:
        wrong = isinstance(error, InvalidInput)
        failure = Failure(message=error.message, hint=error.hint, is_input=wrong)
        answer = Answer(failure=failure)
    print(answer.model_dump_json())


if __name__ == "__main__":
    main()
