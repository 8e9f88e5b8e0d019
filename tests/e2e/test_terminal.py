"""What a person at a terminal meets, with stand-in runs under the real worker and supervisor."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.terminal import REPOSITORY, Terminal
from tests.engine.cli.command import RUN, Command, end, set_behaviour, standin
from tests.sample_data import write_ratings

SHOW_CURSOR = b"\x1b[?25h"
HIDE_CURSOR = b"\x1b[?25l"
COMMAND = (sys.executable, "-c", "import engine.cli; engine.cli.main()")


class Start(Protocol):
    def __call__(self, *arguments: str, **env: str) -> Terminal: ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace that begins with one completed experiment, #1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        workspace = standin(tmp_path_factory.mktemp("terminal") / "shop")
        assert Command(workspace.root)(*RUN, "--wait").code == 0
        yield workspace.root
        end(workspace)


@pytest.fixture
def terminal(folder: Path) -> Iterator[Start]:
    opened: list[Terminal] = []

    def start(*arguments: str, **env: str) -> Terminal:
        opened.append(Terminal(*arguments, cwd=folder, **env))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def newest(folder: Path) -> int:
    return Command(folder)("list", "--json", "--limit", "1").json["items"][0]["number"]


def test_a_wait_is_drawn_in_place_and_leaves_the_terminal_as_it_was(
    folder: Path, terminal: Start
) -> None:
    set_behaviour(folder, '{"seconds": 4}')
    shown = terminal(*RUN, "--wait", "--name", "A name \x1b]0;owned\x07 that is long " + "x" * 90)
    shown.read_until("of 3   loss")
    assert "◐ Train" in shown.text
    assert "Ctrl-C stops watching" in shown.text
    assert shown.wait() == 0
    assert HIDE_CURSOR in shown.output
    assert shown.output.rindex(SHOW_CURSOR) > shown.output.rindex(HIDE_CURSOR)
    assert b"\x1b]" not in shown.output
    assert "95% interval" in shown.text
    assert "above popularity" in shown.text
    assert shown.output.count(b"\x1b[2K") > 10  # lines were drawn again, not once more
    assert all(len(line) <= 80 for line in shown.text.replace("\r", "\n").split("\n"))


def test_ctrl_c_stops_watching_and_the_run_goes_on(folder: Path, terminal: Start) -> None:
    set_behaviour(folder, '{"seconds": 8}')
    shown = terminal(*RUN, "--wait")
    shown.read_until("✔ Examples")
    shown.press("\x03")
    assert shown.wait() == 130
    number = newest(folder)
    assert f"Experiment #{number} goes on" in shown.text
    assert SHOW_CURSOR in shown.output
    again = terminal("show", str(number), "--wait")
    assert again.wait() == 0
    assert "✔ completed" in again.text


def test_a_dropped_connection_leaves_the_run_alone(folder: Path, terminal: Start) -> None:
    set_behaviour(folder, '{"seconds": 3}')
    shown = terminal(*RUN, "--wait")
    shown.read_until("✔ Examples")
    shown.hang_up()
    # The signal, or the failure to draw, whichever comes first; both end it in order.
    assert shown.process.wait(timeout=10) in (128 + signal.SIGHUP, 1)
    waited = Command(folder)("show", str(newest(folder)), "--wait", "--json")
    assert waited.code == 0
    assert waited.json["status"] == "completed"


def test_json_stays_alone_on_stdout(folder: Path) -> None:
    set_behaviour(folder, '{"seconds": 0.3}')
    done = subprocess.run(
        [*COMMAND, *RUN, "--wait", "--json"], cwd=folder, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["status"] == "completed"
    assert done.stderr.startswith(b"Warning: Only ")  # and no progress


def test_no_color_is_honoured(terminal: Start) -> None:
    coloured = terminal("show", "1")
    assert coloured.wait() == 0
    assert b"\x1b[32m" in coloured.output
    plain = terminal("show", "1", NO_COLOR="1")
    assert plain.wait() == 0
    assert b"\x1b[32m" not in plain.output
    assert "✔ completed" in plain.text


def test_a_terminal_without_utf8_gets_ascii_icons(terminal: Start) -> None:
    shown = terminal("show", "1", PYTHONIOENCODING="ascii")
    assert shown.wait() == 0
    assert "v completed" in shown.text


def test_deleting_asks(folder: Path, terminal: Start) -> None:
    set_behaviour(folder, '{"seconds": 0.3}')
    assert Command(folder)(*RUN, "--wait").code == 0
    number = newest(folder)
    asked = terminal("delete", str(number))
    asked.read_until(f"Delete experiment #{number}")
    asked.press("n\r")
    assert asked.wait() == 130
    assert Command(folder)("show", str(number)).code == 0
    asked = terminal("delete", str(number))
    asked.read_until("[y/N]")
    asked.press("y\r")
    assert asked.wait() == 0
    assert "being deleted" in asked.text


def test_init_asks_for_an_id_that_it_cannot_guess(tmp_path: Path, terminal: Start) -> None:
    file = write_ratings(tmp_path / "odd.csv", 60)
    file.write_text(file.read_text().replace("user,item", "who,what", 1))
    asked = terminal("init", str(file), "--workspace", str(tmp_path / "odd"))
    asked.read_until("Number: ")
    assert "buyer id?" in asked.text
    assert "1  who" in asked.text
    asked.press("1\r")
    asked.read_until("product id?")
    asked.press("1\r")
    assert asked.wait() == 0
    assert 'product = "what"' in (tmp_path / "odd" / "definitions" / "datasets.toml").read_text()
    refused = Command(tmp_path / "even")("init", str(file))
    assert refused.code == 2
    assert "--buyer with one of: who, what" in refused.err


def test_a_reader_that_leaves_is_met_with_silence(folder: Path) -> None:
    for arguments in (("datasets", "show", "ratings"), ("list",)):
        with subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as left:
            assert left.stdout is not None
            left.stdout.close()
            assert left.stderr is not None
            assert left.stderr.read() == b""
        assert left.returncode == 1
