"""The command line `kei`."""

import typer

from deploy.cli import operate, run, serve

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Kei: clusters teach each other. `kei run` starts everything here, with a story.",
)
app.command("run")(run.run)
app.command("load")(run.load)
app.command("serve")(serve.serve_one)
app.command("migrate")(serve.migrate)
app.command("topics")(serve.topics)
app.command("token")(operate.token)
app.add_typer(operate.events, name="events")
app.add_typer(operate.inbox, name="inbox")
app.add_typer(operate.partner, name="partner")
app.add_typer(operate.matching, name="matching")

__all__ = ["app"]
