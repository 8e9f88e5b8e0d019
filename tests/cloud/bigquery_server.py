"""BigQuery's REST interface as its client uses it, over Parquet files.

DuckDB runs the queries, translated by sqlglot. As strict as the service is: unknown options,
fields and projects are refused, a query names its tables whole, a job's id can be used once. What a
dry run would read is counted as BigQuery counts it: the logical bytes of every column named.
"""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import sqlglot
import sqlglot.expressions as exp
from sqlglot.errors import SqlglotError

from tests.cloud.servers.http_server import JsonService, Request, Route
from tests.cloud.servers.refusal import refuse
from tests.engine.query.translation import as_duckdb

_BASE = r"/bigquery/v2/projects/(?P<project>[^/]+)"
_DATASET = _BASE + r"/datasets/(?P<dataset>[^/]+)"
_TABLE = _DATASET + r"/tables/(?P<table>[^/]+)"
_PAGING = frozenset({"maxResults", "pageToken"})
_ROWS = _PAGING | {"startIndex", "fields", "formatOptions.useInt64Timestamp"}
_TYPES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UINTEGER"), "INTEGER"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "FLOAT"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"), "TIMESTAMP"),
    **{"VARCHAR": "STRING", "BOOLEAN": "BOOLEAN", "DATE": "DATE", "HUGEINT": "NUMERIC"},
}
_BYTES = {"INTEGER": 8, "FLOAT": 8, "TIMESTAMP": 8, "DATE": 8, "BOOLEAN": 1, "NUMERIC": 16}
_PAGE = 20_000
_LOCATION = "europe-central2"


class Field(NamedTuple):
    """A column and BigQuery's type of it."""

    name: str
    type: str
    repeated: bool

    @classmethod
    def of(cls, name: str, kind: str) -> "Field":
        """Return the field for a DuckDB type."""
        repeated = kind.endswith("[]")
        element = kind.removesuffix("[]")
        found = "NUMERIC" if element.startswith("DECIMAL") else _TYPES[element]
        return cls(name, found, repeated)

    def as_json(self) -> dict[str, str]:
        """Return the field of a schema."""
        mode = "REPEATED" if self.repeated else "NULLABLE"
        return {"name": self.name, "type": self.type, "mode": mode}


class Result(NamedTuple):
    """The rows of a query."""

    fields: list[Field]
    rows: list[tuple[Any, ...]]


class BigQuery(JsonService):
    """The datasets of one project.

    Args:
        project: its id.
        tables: dataset to table to Parquet file.

    Attributes:
        queries: that were run, dry runs left out.
    """

    def __init__(self, project: str, tables: dict[str, dict[str, Path]]) -> None:
        super().__init__(
            [
                Route("GET", _BASE + "/datasets", "ListDatasets", _PAGING, self._list_datasets),
                Route("GET", _DATASET + "/tables", "ListTables", _PAGING, self._list_tables),
                Route("GET", _TABLE, "GetTable", frozenset(), self._get_table),
                Route("GET", _TABLE + "/data", "ListRows", _ROWS, self._list_rows),
                Route("POST", _BASE + "/jobs", "InsertJob", frozenset(), self._insert_job),
                Route(
                    "GET",
                    _BASE + r"/jobs/(?P<job>[^/]+)",
                    "GetJob",
                    frozenset({"location", "projection"}),
                    self._get_job,
                ),
                Route(
                    "GET",
                    _BASE + r"/queries/(?P<job>[^/]+)",
                    "GetQueryResults",
                    _ROWS | {"location", "timeoutMs"},
                    self._get_results,
                ),
            ]
        )
        self.project = project
        self.tables = tables
        self.queries: list[str] = []
        self._jobs: dict[str, dict[str, Any]] = {}
        self._results: dict[str, Result] = {}

    def _list_datasets(self, request: Request) -> dict[str, Any]:
        self._check_project(request)
        listed = [
            {
                "kind": "bigquery#dataset",
                "id": f"{self.project}:{name}",
                "datasetReference": {"projectId": self.project, "datasetId": name},
                "location": _LOCATION,
            }
            for name in sorted(self.tables)
        ]
        return _page({"kind": "bigquery#datasetList"}, "datasets", listed, request)

    def _list_tables(self, request: Request) -> dict[str, Any]:
        tables = self._dataset(request)
        listed = [
            {
                "kind": "bigquery#table",
                "id": f"{self.project}:{request.parts['dataset']}.{name}",
                "tableReference": self._reference(request.parts["dataset"], name),
                "type": "TABLE",
            }
            for name in sorted(tables)
        ]
        answer = {"kind": "bigquery#tableList", "totalItems": len(listed)}
        return _page(answer, "tables", listed, request)

    def _get_table(self, request: Request) -> dict[str, Any]:
        file = self._file(request)
        fields = _fields(duckdb.sql(f"FROM '{file}'"))
        changed = file.stat().st_mtime_ns // 1_000_000
        names = {field.name for field in fields}
        return {
            "kind": "bigquery#table",
            "type": "TABLE",
            "tableReference": self._reference(request.parts["dataset"], request.parts["table"]),
            "schema": {"fields": [field.as_json() for field in fields]},
            "numRows": str(duckdb.sql(f"SELECT count(*) FROM '{file}'").fetchall()[0][0]),
            "numBytes": str(_logical_bytes(file, names)),
            "creationTime": str(changed),
            "lastModifiedTime": str(changed),
            "location": _LOCATION,
        }

    def _list_rows(self, request: Request) -> dict[str, Any]:
        found = duckdb.sql(f"FROM '{self._file(request)}'")
        result = Result(_fields(found), found.fetchall())
        return {"kind": "bigquery#tableDataList", **_rows(result, request)}

    def _insert_job(self, request: Request) -> dict[str, Any]:
        self._check_project(request)
        body = request.body
        _check_keys(body, {"jobReference", "configuration"})
        configuration = body.get("configuration", {})
        _check_keys(configuration, {"query", "dryRun", "labels", "jobTimeoutMs"})
        query = configuration.get("query", {})
        _check_keys(query, {"query", "useLegacySql", "useQueryCache", "maximumBytesBilled"})
        if query.get("useLegacySql", True):
            refuse("INVALID_ARGUMENT", "This server speaks GoogleSQL only.")
        job_id = body.get("jobReference", {}).get("jobId", "")
        if job_id in self._jobs:
            refuse("ALREADY_EXISTS", f"Already Exists: Job {self.project}:{_LOCATION}.{job_id}")
        sql = query.get("query", "")
        files = self._files_of(sql)
        read = sum(_logical_bytes(file, names) for file, names in files.values())
        job = {
            "kind": "bigquery#job",
            "jobReference": {"projectId": self.project, "jobId": job_id, "location": _LOCATION},
            "configuration": {"jobType": "QUERY", **configuration},
            "status": {"state": "DONE"},
        }
        dry = configuration.get("dryRun", False)
        result = _run(sql, {name: file for name, (file, _) in files.items()}, dry=dry)
        schema = {"fields": [field.as_json() for field in result.fields]}
        statistics = {"totalBytesProcessed": str(read), "statementType": "SELECT", "schema": schema}
        job["statistics"] = {
            "creationTime": str(int(datetime.now(UTC).timestamp() * 1000)),
            "totalBytesProcessed": str(read),
            "query": statistics,
        }
        if not dry:
            self.queries.append(sql)
            self._jobs[job_id], self._results[job_id] = job, result
        return job

    def _get_job(self, request: Request) -> dict[str, Any]:
        self._check_project(request)
        if request.parts["job"] not in self._jobs:
            refuse("NOT_FOUND", f"Not found: Job {self.project}:{request.parts['job']}")
        return self._jobs[request.parts["job"]]

    def _get_results(self, request: Request) -> dict[str, Any]:
        job = self._get_job(request)
        result = self._results[request.parts["job"]]
        return {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": job["jobReference"],
            "jobComplete": True,
            "schema": {"fields": [field.as_json() for field in result.fields]},
            "totalBytesProcessed": job["statistics"]["totalBytesProcessed"],
            "cacheHit": False,
            **_rows(result, request),
        }

    def _files_of(self, sql: str) -> dict[str, tuple[Path, set[str]]]:
        """Return table to its file and the columns that the query names of it."""
        try:
            parsed = sqlglot.parse_one(sql, dialect="bigquery")
        except SqlglotError as error:
            refuse("INVALID_ARGUMENT", f"Syntax error: {str(error).splitlines()[0]}")
        inside = {found.alias for found in parsed.find_all(exp.CTE)}
        named = {column.name for column in parsed.find_all(exp.Column)}
        found: dict[str, tuple[Path, set[str]]] = {}
        for table in parsed.find_all(exp.Table):
            if table.name in inside or not isinstance(table.this, exp.Identifier):
                continue
            if table.catalog != self.project or not table.db:
                refuse("INVALID_ARGUMENT", f'Table "{table.name}" must be qualified.')
            file = self._table(table.db, table.name)
            if table.name in found and found[table.name][0] != file:
                refuse("INVALID_ARGUMENT", "This server takes one table of a name in a query.")
            columns = {field.name for field in _fields(duckdb.sql(f"FROM '{file}'"))}
            named_here = columns if _selects_all(table) else columns & named
            found[table.name] = (file, named_here)
        return found

    def _check_project(self, request: Request) -> None:
        if request.parts["project"] != self.project:
            refuse(
                "PERMISSION_DENIED",
                f"Access Denied: Project {request.parts['project']}: User does not have"
                " bigquery.jobs.create permission in project.",
            )

    def _dataset(self, request: Request) -> dict[str, Path]:
        self._check_project(request)
        name = request.parts["dataset"]
        if name not in self.tables:
            refuse("NOT_FOUND", f"Not found: Dataset {self.project}:{name}")
        return self.tables[name]

    def _file(self, request: Request) -> Path:
        self._dataset(request)
        return self._table(request.parts["dataset"], request.parts["table"])

    def _table(self, dataset: str, name: str) -> Path:
        file = self.tables.get(dataset, {}).get(name)
        if file is None:
            refuse("NOT_FOUND", f"Not found: Table {self.project}:{dataset}.{name}")
        return file

    def _reference(self, dataset: str, table: str) -> dict[str, str]:
        return {"projectId": self.project, "datasetId": dataset, "tableId": table}


def _check_keys(given: dict[str, Any], known: set[str]) -> None:
    if unknown := given.keys() - known:
        refuse("INVALID_ARGUMENT", f"Unknown name {sorted(unknown)}: Cannot find field.")


def _selects_all(table: exp.Table) -> bool:
    """Whether a star stands for the columns of a table, `count(*)` aside."""
    select = table.find_ancestor(exp.Select)
    return select is not None and any(isinstance(e, exp.Star) for e in select.expressions)


def _run(sql: str, files: dict[str, Path], *, dry: bool) -> Result:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, file in files.items():
        connection.execute(f"""CREATE VIEW "{name}" AS FROM '{file}'""")
    try:
        found = connection.sql(as_duckdb(sql))
        return Result(_fields(found), [] if dry else found.fetchall())
    except duckdb.Error as error:
        refuse("INVALID_ARGUMENT", str(error).splitlines()[0])


def _fields(found: duckdb.DuckDBPyRelation) -> list[Field]:
    return [Field.of(n, str(t)) for n, t in zip(found.columns, found.types, strict=True)]


def _logical_bytes(file: Path, names: Iterable[str]) -> int:
    """Return what BigQuery counts for columns: 8 bytes a number, 2 and its UTF-8 for a text."""
    relation = duckdb.sql(f"FROM '{file}'")
    sums = []
    for field in _fields(relation):
        if field.name not in set(names):
            continue
        column = f'"{field.name}"'
        value = "x" if field.repeated else column
        size = f"2 + strlen({value})" if field.type == "STRING" else str(_BYTES[field.type])
        if field.repeated:
            size = f"list_sum(list_transform({column}, lambda x: {size}))"
        sums.append(f"coalesce(sum(CASE WHEN {column} IS NOT NULL THEN {size} END), 0)")
    if not sums:
        return 0
    return int(relation.aggregate(" + ".join(sums)).fetchall()[0][0])


def _page(answer: dict[str, Any], key: str, items: list[Any], request: Request) -> dict[str, Any]:
    start = int(request.query.get("pageToken", 0))
    end = start + int(request.query.get("maxResults", 50))
    answer[key] = items[start:end]
    if end < len(items):
        answer["nextPageToken"] = str(end)
    return answer


def _rows(result: Result, request: Request) -> dict[str, Any]:
    start = int(request.query.get("pageToken", request.query.get("startIndex", 0)))
    end = start + min(int(request.query.get("maxResults", _PAGE)), _PAGE)
    shown = itertools.islice(result.rows, start, end)
    answer: dict[str, Any] = {
        "totalRows": str(len(result.rows)),
        "rows": [
            {"f": [_cell(v, f) for v, f in zip(row, result.fields, strict=True)]} for row in shown
        ],
    }
    if end < len(result.rows):
        answer["pageToken"] = str(end)
    return answer


def _cell(value: Any, field: Field) -> dict[str, Any]:
    if field.repeated:
        return {"v": [{"v": _text(item)} for item in value or ()]}
    return {"v": _text(value)}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return str(round(value.replace(tzinfo=value.tzinfo or UTC).timestamp() * 1_000_000))
    return repr(value) if isinstance(value, float) else str(value)
