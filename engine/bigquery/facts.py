"""What BigQuery tells of tables and queries."""

from datetime import datetime

from engine.spec import Frozen


class Column(Frozen):
    """A column of a table; `type` is BigQuery's, as "STRING"."""

    name: str
    type: str
    repeated: bool = False


class Table(Frozen):
    """A table.

    Attributes:
        id: "project.dataset.table".
        rows: None for a view, whose rows nobody has counted.
        bytes: logical bytes; None for a view.
        modified_at: when its rows or its schema last changed.
    """

    id: str
    rows: int | None
    bytes: int | None
    modified_at: datetime
    columns: tuple[Column, ...]


class Reading(Frozen):
    """What queries would read.

    Attributes:
        bytes: that BigQuery would bill for all of them together.
        tables: that they name.
    """

    bytes: int
    tables: tuple[Table, ...]


class Question(Frozen):
    """What is asked of BigQuery.

    Attributes:
        project: whose quota and bill it is.
        endpoint: address of the service; Google's when empty.
        queries: whose dry run is wanted, and whose tables.
    """

    project: str
    endpoint: str = ""
    queries: tuple[str, ...]


class Failure(Frozen):
    """Why there is no answer; `is_input` where what was asked is wrong."""

    message: str
    hint: str
    is_input: bool


class Answer(Frozen):
    """What came of a question: a reading or a failure."""

    reading: Reading | None = None
    failure: Failure | None = None
