"""Makes the README's pictures from real runs: `make pictures`, about three minutes.

Runs the demo's experiments in a workspace of its own and shows the app on it, as a person would
see it, while the last one trains.
"""

import asyncio
import html
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from textual.pilot import Pilot

from engine.api import Engine
from engine.demo import prepare_workspace, request
from engine.glance import glance
from engine.planning import QuickTestRequest
from engine.snapshots import ExperimentDetail
from engine.workspace import Workspace
from tui.app import TowerlabApp
from tui.options import AppOptions

FOLDER = Path(__file__).parent
SIZE = (120, 34)
HOST = "ml-dev-3"
"""Instead of this machine's name."""

_LONGEST_SECONDS = 300
_STEP_SECONDS = 0.1
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_TEXT = re.compile(
    r'<text class="(?P<class>[^"]+)" x="(?P<x>[^"]+)" y="(?P<y>[^"]+)" '
    r'textLength="(?P<length>[^"]+)" clip-path="(?P<clip>[^"]+)">(?P<text>[^<]*)</text>'
)
_RUN = re.compile(r"[!-~]+(?:\s[!-~]+)*|[\u2800-\u28ff]+|(\S)\1*")
"""Words of ASCII with single spaces, braille, or one other character, repeated."""
_LEAVE_SOON = "\n[worker]\nidle_seconds = 1\n\n[local]\nwarm_idle_minutes = 0.5\n"


def main() -> None:
    """Make the pictures anew."""
    socket.gethostname = lambda: HOST
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder) / "grocery"
        prepare_workspace(root, lambda _: None)
        with (root / "config.toml").open("a") as settings:
            settings.write(_LEAVE_SOON)
        with Engine(Workspace(root)) as engine:
            try:
                _earlier_runs(engine)
                name = "Deep towers, more buyers"
                live = _start(engine, "retrieval-deep", name, sample=25, epochs=8)
                asyncio.run(_show(root, live, engine))
            finally:
                _end(engine)


def _end(engine: Engine) -> None:
    for card in engine.cards(limit=100).items:
        if not card.ended:
            engine.cancel(card.number)
    while engine.worker_status().active:
        time.sleep(_STEP_SECONDS)


def _earlier_runs(engine: Engine) -> None:
    demo = engine.create(request("basic", "retrieval-sum")).number
    _wait(engine, demo, lambda seen: seen.ended)
    for changes in (
        {"name": "Larger steps", "learning_rate": "0.03"},
        {"name": "One epoch of tiny steps", "epochs": "1", "learning_rate": "0.0001"},
    ):
        number = engine.rerun(demo, changes | {"description": ""}).number
        _wait(engine, number, lambda seen: seen.ended)
    too_long = engine.rerun(demo, {"name": "Fifty epochs", "epochs": "50"}).number
    _wait(engine, too_long, lambda seen: (seen.progress or 0) > 0.2)
    engine.cancel(too_long)
    _wait(engine, too_long, lambda seen: seen.ended)
    eight = engine.rerun(demo, {"name": "Eight epochs", "epochs": "8", "tags": "longer"}).number
    _wait(engine, eight, lambda seen: seen.ended)
    asymmetric = _start(engine, "retrieval-asymmetric", "Wider buyer tower", sample=10, epochs=3)
    _wait(engine, asymmetric, lambda seen: seen.ended)


def _start(engine: Engine, model: str, name: str, *, sample: float, epochs: int) -> int:
    return engine.create(
        QuickTestRequest(
            feature_config="basic",
            model_config_name=model,
            name=name,
            sample_percent=sample,
            epochs=epochs,
        )
    ).number


def _wait(
    engine: Engine, number: int, reached: Callable[[ExperimentDetail], bool]
) -> ExperimentDetail:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not reached(seen := engine.get(number)):
        if time.monotonic() > deadline or seen.status == "failed":
            raise SystemExit(f"#{number} is {seen.status}: {seen.error}")
        time.sleep(_STEP_SECONDS)
    return seen


async def _show(root: Path, live: int, engine: Engine) -> None:
    app = TowerlabApp(AppOptions(root=root), "grocery", glance(root, limit=50))
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await asyncio.to_thread(_wait, engine, live, lambda seen: (seen.progress or 0) > 0.7)
        await _until(pilot, "1 running")
        _keep(app, "list")
        await pilot.press("enter")
        await _until(pilot, "epoch")
        _keep(app, "pipeline")
        await pilot.press("escape")
        await _until(pilot, "Towerlab ·")
        await pilot.press("n")
        await _until(pilot, "1,469,307 rows")
        await _until(pilot, "a batch")
        _keep(app, "wizard")
        await pilot.press("escape")
        await _until(pilot, "Towerlab ·")
        await asyncio.to_thread(_wait, engine, live, lambda seen: seen.ended)
        await pilot.press("enter")
        await _until(pilot, "Overview")
        await pilot.press(*["right_square_bracket"] * 3)
        await _until(pilot, "Gradient norm")
        await pilot.pause(10)  # the notification has gone
        _keep(app, "training")


async def _until(pilot: Pilot[int], text: str) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while text not in _text(pilot):
        if time.monotonic() > deadline:
            raise SystemExit(f"{text!r} never appears:\n{_text(pilot)}")
        await pilot.pause(_STEP_SECONDS)
    await pilot.pause(1)


def _text(pilot: Pilot[int]) -> str:
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


def _keep(app: TowerlabApp, name: str) -> None:
    """Write the screen so that it looks the same in every viewer.

    Without fonts from elsewhere, and with each run of characters at its own place: glyphs of
    another font are of another width, and some viewers drop leading spaces.
    """
    svg = _FONT_FACE.sub("", app.export_screenshot(title="towerlab"))
    svg = _TEXT.sub(lambda found: "".join(_placed(found)), svg)
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
    print(f"{name}.svg: {len(svg) // 1000} kB", flush=True)


def _placed(found: re.Match[str]) -> Iterator[str]:
    text = html.unescape(found["text"])
    cell = float(found["length"]) / len(text)
    for run in _RUN.finditer(text):
        left, length = float(found["x"]) + run.start() * cell, len(run[0]) * cell
        yield (
            f'<text class="{found["class"]}" x="{left:g}" y="{found["y"]}" textLength="{length:g}"'
            f' clip-path="{found["clip"]}">{html.escape(run[0])}</text>'
        )


if __name__ == "__main__":
    main()
