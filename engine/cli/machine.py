"""Commands on the machine and the place of things: doctor, paths, worker."""

from typing import TYPE_CHECKING

import click

from engine.cli.group import Invocation, shared_options
from engine.errors import EnvironmentNotReady, InvalidInput, NotFound

if TYPE_CHECKING:
    from engine.findings import Check


@click.command("doctor")
@click.option(
    "--cancel-strays",
    is_flag=True,
    help="Instead, cancel this workspace's jobs in Google Cloud that no experiment knows.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@shared_options
@click.pass_obj
def doctor(invocation: Invocation, cancel_strays: bool, yes: bool) -> int:
    """Check that this machine is ready.

    And the workspace and its part in Google Cloud, if there is one; exit code 3 when something is
    missing.
    """
    from engine.cli.output import print_json
    from engine.doctor import examine

    if cancel_strays:
        return _cancel_strays(invocation, yes=yes)
    try:
        workspace = invocation.workspace()
    except NotFound:
        if invocation.folder is not None:
            raise
        workspace = None
    found: list[Check] = []
    for check in examine(workspace):
        found.append(check)
        if not invocation.as_json:
            _print_check(invocation, check)
    ready = all(check.state != "missing" for check in found)
    if invocation.as_json:
        print_json({"ready": ready, "checks": [vars(check) for check in found]})
    return 0 if ready else EnvironmentNotReady.exit_code


@click.command("paths")
@shared_options
@click.pass_obj
def paths(invocation: Invocation) -> None:
    """Show where everything of the workspace is."""
    from engine.cli.output import fields, print_json
    from engine.crash import masked

    workspace = invocation.workspace()
    found = {
        "workspace": str(workspace.root),
        "config": str(workspace.root / "config.toml"),
        "definitions": str(workspace.definitions),
        "database": masked(workspace.database_url.removeprefix("sqlite:///")),
        "runs": str(workspace.runs),
        "cache": str(workspace.cache),
        "worker_log": str(workspace.worker_log),
        "run_logs": str(workspace.runs / "UID" / "logs"),
    }
    if invocation.as_json:
        print_json(found)
    else:
        invocation.out.print(fields((k.replace("_", " "), v) for k, v in found.items()))


@click.command("worker")
@shared_options
@click.pass_obj
def worker(invocation: Invocation) -> None:
    """Look after experiments in the foreground.

    Elsewhere a worker is started when there is something to do; this one stays until Ctrl-C.
    """
    import logging

    from engine.worker import serve

    workspace = invocation.workspace()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if not serve(workspace, stay=True):
        invocation.err.print("Another worker looks after this workspace already.")


def _cancel_strays(invocation: Invocation, *, yes: bool) -> int:
    from engine.cli.output import foreign, print_json
    from engine.cloud_doctor import StrayHunt

    hunt = StrayHunt(invocation.workspace())
    found, missed = hunt.find()
    told = [f"{s.service} {s.id}, for an experiment {s.uid or 'unknown'}" for s in found]
    if not (found or missed):
        told = ["No experiment misses any of its jobs: there is nothing to cancel."]
    if not invocation.as_json:
        for line in (*told, *missed):
            invocation.out.print(foreign(line))
    if found and not yes:
        if not invocation.may_ask:
            raise InvalidInput("Nobody can be asked whether to cancel them.", hint="Pass --yes.")
        count = "this job" if len(found) == 1 else f"these {len(found)} jobs"
        click.confirm(f"Cancel {count}?", abort=True, err=True)
    failures = hunt.cancel(found)
    if invocation.as_json:
        asked = [stray._asdict() for stray in found if stray not in failures]
        failed = [{**stray._asdict(), "reason": reason} for stray, reason in failures.items()]
        print_json({"cancelled": asked, "failed": failed, "missed": missed})
    else:
        for stray, reason in failures.items():
            invocation.out.print(foreign(f"{stray.service} {stray.id} may go on: {reason}"))
        if found:
            invocation.out.print(f"Asked {len(found) - len(failures)} to end.")
    return EnvironmentNotReady.exit_code if failures or missed else 0


def _print_check(invocation: Invocation, check: "Check") -> None:
    from rich.text import Text

    from engine.cli.output import foreign, status_icon

    shown = {"ok": "completed", "warning": "warning", "missing": "failed"}[check.state]
    icon = status_icon(shown, to=invocation.out)
    label = f"{check.name:<12}"
    invocation.out.print(Text.assemble(icon, " ", (label, "bold"), " ", foreign(check.message)))
    if check.hint and check.state != "ok":
        invocation.out.print(Text(" " * 15).append_text(foreign(check.hint)))
