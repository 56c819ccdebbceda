"""The command line `kei`."""

import typer

from deploy.cli import backup, run, serve, status
from deploy.cli.access_token import token
from deploy.cli.common import user_errors
from deploy.cli.dead_letters import dead_letters
from deploy.cli.events import events
from deploy.cli.matching import matching
from deploy.cli.partner import partner
from deploy.cli.secrets import secrets_commands
from deploy.cli.topics import topics
from deploy.renamed_settings import refuse_old_names

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Kei: a mentoring platform for clusters. `kei run` starts everything in one process, with sample data.",
)


@app.callback()
def check_settings() -> None:
    with user_errors():
        refuse_old_names()


app.command("run")(run.run)
app.command("import")(run.import_file)
app.command("serve")(serve.serve)
app.command("migrate")(serve.migrate)
app.command("backup")(backup.back_up)
app.command("restore")(backup.restore)
app.command("token")(token)
app.command("status")(status.status)
app.add_typer(topics, name="topics")
app.add_typer(secrets_commands, name="secrets")
app.add_typer(events, name="events")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(partner, name="partner")
app.add_typer(matching, name="matching")

__all__ = ["app"]
