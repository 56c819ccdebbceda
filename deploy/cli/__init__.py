"""The command line `kei`."""

import typer

from deploy.cli import backup, kafka, matching, operate, partner, run, serve, status
from deploy.cli.common import sentences
from deploy.renamed_settings import refuse_old_names

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Kei: clusters teach each other. `kei run` starts everything here, with a story.",
)


@app.callback()
def check_settings() -> None:
    with sentences():
        refuse_old_names()


app.command("run")(run.run)
app.command("load")(run.load)
app.command("serve")(serve.serve_one)
app.command("migrate")(serve.migrate)
app.command("topics")(kafka.topics)
app.command("secrets")(serve.secrets)
app.command("backup")(backup.back_up)
app.command("restore")(backup.restore)
app.command("token")(operate.token)
app.command("status")(status.status)
app.add_typer(operate.events, name="events")
app.add_typer(operate.inbox, name="inbox")
app.add_typer(partner.partner, name="partner")
app.add_typer(matching.matching, name="matching")

__all__ = ["app"]
