"""`restante completion`: what a shell runs to complete the commands' words."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_RESTANTE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Prints a script for SHELL (bash, zsh or fish) that completes commands, flags, and some values.
    In bash: eval "$(restante completion bash)"."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(context.find_root().command, {}, "restante", VARIABLE).source())
