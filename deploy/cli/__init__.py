"""The command line `kei`."""

import typer

from deploy.cli.common import user_errors
from deploy.cli.lazy_group import LazyGroup
from deploy.renamed_settings import refuse_old_names

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Kei: a mentoring platform for clusters. `kei run` starts everything in one process, with sample data.",
)


@app.callback()
def check_settings() -> None:
    with user_errors():
        refuse_old_names()


__all__ = ["app"]
