"""Component logs: whose messages they take, and how much."""

import logging
from pathlib import Path

from engine.spec.run_folder import LogEntry
from pipelines.component_logs import ComponentLog

OURS = logging.getLogger("pipelines.test")
THEIRS = logging.getLogger("somebody.else")


def entries(folder: Path) -> list[LogEntry]:
    lines = (folder / "logs" / "Train.jsonl").read_text().splitlines()
    return [LogEntry.model_validate_json(line) for line in lines]


def test_it_takes_our_messages_and_the_warnings_of_others(tmp_path: Path):
    log = ComponentLog(tmp_path, "Train").listen()
    OURS.info("ours")
    OURS.debug("too much")
    THEIRS.info("not interesting")
    THEIRS.warning("careful")
    THEIRS.warning("ArtifactQuery.property_predicate is not supported.")
    log.close()
    OURS.info("after the end")
    assert [(e.severity, e.message) for e in entries(tmp_path)] == [
        ("INFO", "ours"),
        ("WARNING", "careful"),
    ]


def test_a_long_message_keeps_its_head_and_its_tail(tmp_path: Path):
    log = ComponentLog(tmp_path, "Train").listen()
    OURS.error("head %s tail", "x" * 100_000)
    log.close()
    [entry] = entries(tmp_path)
    assert len(entry.message) == 4_096
    assert entry.message.startswith("head ")
    assert entry.message.endswith(" tail")


def test_an_exception_ends_with_what_was_raised(tmp_path: Path):
    log = ComponentLog(tmp_path, "Train").listen()
    try:
        raise ValueError("the cause")
    except ValueError:
        OURS.exception("Train failed")
    log.close()
    [entry] = entries(tmp_path)
    assert entry.severity == "ERROR"
    assert entry.message.startswith("Train failed\nTraceback")
    assert entry.message.endswith("ValueError: the cause")


def test_text_that_is_no_unicode_is_replaced(tmp_path: Path):
    log = ComponentLog(tmp_path, "Train")
    log.handle(logging.makeLogRecord({"name": "pipelines", "levelno": 30, "msg": "caf\udce9.csv"}))
    log.close()
    assert entries(tmp_path)[0].message == "caf?.csv"


def test_a_flood_is_cut_off_with_a_word(tmp_path: Path):
    log = ComponentLog(tmp_path, "Train").listen()
    for _ in range(400):
        OURS.info("x" * 4_000)
    log.close()
    assert (tmp_path / "logs" / "Train.jsonl").stat().st_size < 1_100_000
    assert entries(tmp_path)[-1].message == "The log is full; what follows is not recorded."
