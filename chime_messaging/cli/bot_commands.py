"""``chime bot``: its options. What it does is in `chime_messaging.cli.bot`, which is imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from chime_messaging.cli.options import AppInstance, Url

bots = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Run bots.")


@bots.callback()
def _bot() -> None:
    # With a callback typer keeps `run` as a word of its own although there is no other command yet.
    return


@bots.command("run", epilog="Ctrl-C or SIGTERM ends them in good order, exit code 0; the second time, at once.")
def run_bots(
    target: Annotated[
        list[str], typer.Argument(help="MODULE:NAME or FILE.py:NAME; the name is bot where it is left out.")
    ],
    user: Annotated[
        str | None,
        typer.Option("--as", metavar="USER", help="Who the bot is: name or ARN. By default as it says itself."),
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="FILE", help="Where bots remember, if they do not say themselves.")
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start again whenever a Python file beside the bot changes.")
    ] = False,
    trio: Annotated[bool, typer.Option("--trio", help="Run on trio instead of asyncio.")] = False,
    url: Url = None,
    app_instance: AppInstance = None,
) -> None:
    """Run bots until Ctrl-C.

    Example: [cyan]chime bot run trivia.py --as trivia --reload[/cyan]
    """
    from chime_messaging.cli import bot

    if user is not None and len(target) > 1:
        raise typer.BadParameter("names one bot; several say themselves who they are", param_hint="--as")
    if reload:
        raise typer.Exit(bot.run_and_reload(target))
    bot.run(target, user=user, state=state, trio=trio, url=url, app_instance=app_instance)
