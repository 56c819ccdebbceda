"""The commands of `kei`, each imported when it is called: all of them together take a second to import."""

import importlib

import typer
from typer._click import Command, Context
from typer.core import TyperGroup
from typer.main import get_command, get_group

COMMANDS = {
    "run": "run:run",
    "import": "run:import_file",
    "serve": "serve:serve",
    "migrate": "serve:migrate",
    "backup": "backup:back_up",
    "restore": "backup:restore",
    "token": "access_token:token",
    "status": "status:status",
    "topics": "topics:topics",
    "secrets": "secrets:secrets_commands",
    "events": "events:events",
    "dead-letters": "dead_letters:dead_letters",
    "partner": "partner:partner",
    "matching": "matching:matching",
}
"""Module of `deploy.cli` and name of the function or of the group, by the command's name, in the order of the help."""


class LazyGroup(TyperGroup):
    """A group with the commands in `COMMANDS`."""

    def list_commands(self, ctx: Context) -> list[str]:
        """The commands in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The command of that name. If there is none, all are loaded, for Typer to suggest a similar name."""
        del ctx
        for name in (cmd_name,) if cmd_name in COMMANDS else COMMANDS:
            if name not in self.commands:
                self.commands[name] = _load(name)
        return self.commands.get(cmd_name)


def _load(name: str) -> Command:
    module, _, attribute = COMMANDS[name].partition(":")
    target = getattr(importlib.import_module(f"deploy.cli.{module}"), attribute)
    if isinstance(target, typer.Typer):
        group = get_group(target)
        group.name = name
        return group
    holder = typer.Typer(add_completion=False)
    holder.command(name)(target)
    return get_command(holder)
