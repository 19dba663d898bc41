"""The commands and their options. What they do stands in the modules that they import when they run.

Those imports are inside the functions so that ``chime --help`` does not load boto3 and the server.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from chime_messaging import __version__
from chime_messaging.cli import extensions
from chime_messaging.cli.bot_commands import bots
from chime_messaging.cli.meeting_commands import data, loads, meetings
from chime_messaging.cli.options import AppInstance, As, Json, Url

DEFAULT_PORT = 8765

GETTING_STARTED = """
[bold]From nothing[/bold], with a Chime of your own on this machine:

  [cyan]chime serve &[/cyan]
  [cyan]eval "$(chime env)"[/cyan]             [dim]this shell, and boto3 in it, now use it[/dim]
  [cyan]chime channel create general --member alice --member bob[/cyan]
  [cyan]chime tail bob &[/cyan]                [dim]everything bob sees, live[/dim]
  [cyan]chime send general "hello bob" --as alice[/cyan]

The same commands work against Amazon, with your AWS credentials and ARNs.
Or just watch: [cyan]chime demo[/cyan]
"""

app = typer.Typer(
    name="chime",
    help="Amazon Chime SDK messaging from a shell, and a local Chime to run it on.",
    epilog=GETTING_STARTED,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
users = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Make and list users.")
channels = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Make and list channels.")
app.add_typer(users, name="user")
app.add_typer(channels, name="channel")
app.add_typer(bots, name="bot")
app.add_typer(meetings, name="meeting")
app.add_typer(data, name="data")
app.add_typer(loads, name="load")


class Shell(StrEnum):
    """Shells that ``chime env`` can write for."""

    SH = "sh"
    FISH = "fish"
    POWERSHELL = "powershell"
    DOTENV = "dotenv"
    JSON = "json"


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"chime {__version__}")
        raise typer.Exit


@app.callback()
def _chime(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say it.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Tracebacks and our debug log on stderr; works after a command too.")
    ] = False,
) -> None:
    # main() takes --verbose out of the arguments before they get here; it is declared for the help.
    del version, verbose


@app.command(epilog="Stop it with Ctrl-C or SIGTERM: sockets are closed with 1012 (clients come back), exit code 0.")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 picks a free one; the ready line says which.")
    ] = DEFAULT_PORT,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="PATH|URL", help="SQLite file or SQLAlchemy URL; by default all is in memory."),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="https and wss with a local certificate authority.")] = False,
    no_media: Annotated[bool, typer.Option("--no-media", help="Serve no meeting media.")] = False,
    media_port: Annotated[
        int, typer.Option(min=0, max=65535, help="UDP port for the media of meetings; 0 picks a free one.")
    ] = 0,
    media_host: Annotated[
        list[str] | None,
        typer.Option("--media-host", metavar="IP", help="Address that clients are told to send media to."),
    ] = None,
    turn: Annotated[
        list[str] | None,
        typer.Option("--turn", metavar="URI", help="TURN server for media, like turn:192.0.2.1:3478?transport=udp."),
    ] = None,
    js_sdk: Annotated[
        str | None,
        typer.Option("--js-sdk", metavar="PATH|URL", help="amazon-chime-sdk-js for /meet; by default from a CDN."),
    ] = None,
    turn_user: Annotated[str, typer.Option(metavar="NAME:PASSWORD", help="What the TURN servers ask for.")] = "",
    turn_secret: Annotated[
        str, typer.Option(envvar="CHIME_TURN_SECRET", help="Secret shared with them (coturn: static-auth-secret).")
    ] = "",
    no_quotas: Annotated[bool, typer.Option("--no-quotas", help="No rate and count limits.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Ask nothing: every bearer may do everything.")] = False,
    strict_auth: Annotated[
        bool, typer.Option("--strict-auth", help="Verify signatures too, against the keys of chime env.")
    ] = False,
    public_host: Annotated[
        str | None,
        typer.Option("--public-host", metavar="HOST[:PORT]", help="What clients are told to connect to."),
    ] = None,
    processor: Annotated[
        list[str] | None,
        typer.Option("--processor", metavar="ARN=URL", help="Endpoint that stands in for a Lambda or Lex bot alias."),
    ] = None,
    streams: Annotated[
        str | None,
        typer.Option("--streams", metavar="FOLDER", help="Where streams are written as JSON lines instead of Kinesis."),
    ] = None,
) -> None:
    """Run a local Chime: the three control planes and the websocket on one port.

    Once it accepts connections it prints [bold]ready http://127.0.0.1:8765[/bold] on stdout.
    Logs are JSON lines on stderr.
    """
    if trust and strict_auth:
        raise typer.BadParameter("exclude each other", param_hint="--trust and --strict-auth")
    from chime_messaging.cli.serve import Media, run

    media = Media(media_port, tuple(media_host or ()), tuple(turn or ()), turn_user, turn_secret, js_sdk)
    run(
        host=host,
        port=port,
        database=db,
        tls=tls,
        media=None if no_media else media,
        quotas=not no_quotas,
        trust=trust,
        strict=strict_auth,
        public_host=public_host,
        processors=processor or [],
        streams=streams,
    )


@app.command(epilog='Use it as: [cyan]eval "$(chime env)"[/cyan] - fish: [cyan]chime env --shell fish | source[/cyan]')
def env(
    host: Annotated[str, typer.Option(help="Host of the server.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the server.")] = DEFAULT_PORT,
    tls: Annotated[bool, typer.Option("--tls", help="For a server with --tls: https, and its authority.")] = False,
    shell: Annotated[Shell, typer.Option(help="Syntax to write.")] = Shell.SH,
) -> None:
    """Print the variables that send AWS clients (boto3, the AWS CLI, JavaScript) to a local server."""
    from chime_messaging.cli.environment import write

    write(host=host, port=port, tls=tls, shell=shell.value)


@app.command(
    epilog="Lost connections are made again without end. Ctrl-C or SIGTERM ends it with exit code 0; "
    "a session that the service ends for good, with 1."
)
def tail(
    user: Annotated[str, typer.Argument(help="Whose session: name or ARN.", metavar="USER")],
    channel: Annotated[
        list[str] | None,
        typer.Option("--channel", metavar="CHANNEL", help="Only this one: name or ARN. Repeatable."),
    ] = None,
    json: Json = False,
    count: Annotated[int | None, typer.Option(min=1, help="End with exit code 0 after so many messages.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Begin with the latest messages of each channel.")] = False,
    url: Url = None,
    app_instance: AppInstance = None,
) -> None:
    """Show what a user receives, live: messages, edits, members coming and going.

    Examples: [cyan]chime tail bob[/cyan] - [cyan]chime tail bob --json | jq .payload.Content[/cyan]
    """
    from chime_messaging.cli.tail import run

    run(user, channels=channel or [], json=json, count=count, history=history, url=url, app_instance=app_instance)


@app.command()
def send(
    channel: Annotated[str, typer.Argument(help="Name or ARN.", metavar="CHANNEL")],
    text: Annotated[list[str] | None, typer.Argument(help="The message; without it, one per line of stdin.")] = None,
    sender: As = None,
    control: Annotated[bool, typer.Option("--control", help="A CONTROL message: 30 bytes, for signals.")] = False,
    non_persistent: Annotated[bool, typer.Option("--non-persistent", help="Only to those who are connected.")] = False,
    metadata: Annotated[str | None, typer.Option(help="Up to 1024 characters beside the content.")] = None,
    attribute: Annotated[
        list[str] | None, typer.Option("--attribute", metavar="NAME=VALUE", help="Message attribute. Repeatable.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="USER", help="Only this member shall see it.")] = None,
    json: Json = False,
    url: Url = None,
    app_instance: AppInstance = None,
) -> None:
    """Send messages to a channel; prints the id of each.

    Examples: [cyan]chime send general "hello" --as alice[/cyan] - [cyan]tail -f log | chime send ops --as robot[/cyan]
    """
    if sender is None:
        raise typer.BadParameter("say who sends", param_hint="--as")
    from chime_messaging.cli.send import run

    run(
        channel,
        " ".join(text) if text else None,
        sender=sender,
        control=control,
        persistent=not non_persistent,
        metadata=metadata,
        attributes=attribute or [],
        target=to,
        json=json,
        url=url,
        app_instance=app_instance,
    )


@app.command(epilog="Exit code 0 if everything arrived as it should, else 1. Takes about ten seconds.")
def demo(
    messages: Annotated[int, typer.Option(min=30, max=600, help="Messages in the burst.")] = 300,
    seconds: Annotated[float, typer.Option(min=0.5, max=10, help="Length of the burst.")] = 4.0,
    meeting: Annotated[
        bool,
        typer.Option("--meeting", help="A meeting instead: two attendees talk, show and share; takes half a minute."),
    ] = False,
    output: Annotated[
        str, typer.Option("--output", metavar="FOLDER", help="Where --meeting leaves its pictures and its recording.")
    ] = "chime-demo",
) -> None:
    """Watch three people chat on a local Chime while one of them is cut off in the middle of a burst."""
    if meeting:
        raise typer.Exit(extensions.find_demo("meeting")(output))
    from chime_messaging.cli.demo import run

    raise typer.Exit(run(messages=messages, seconds=seconds))


@users.command("create")
def create_user(
    name: Annotated[str, typer.Argument(help="Name; also the id, where it can be one.")],
    admin: Annotated[bool, typer.Option("--admin", help="Make it an administrator of the app instance.")] = False,
    url: Url = None,
    app_instance: AppInstance = None,
) -> None:
    """Make a user; prints its ARN.

    Example: [cyan]chime user create alice[/cyan]
    """
    from chime_messaging.cli.people import create_user

    create_user(name, admin=admin, url=url, app_instance=app_instance)


@users.command("list")
def list_users(json: Json = False, url: Url = None, app_instance: AppInstance = None) -> None:
    """List the users of the app instance."""
    from chime_messaging.cli.people import list_users

    list_users(json=json, url=url, app_instance=app_instance)


@channels.command("create")
def create_channel(
    name: Annotated[str, typer.Argument(help="Name; also the id, where it can be one.")],
    member: Annotated[
        list[str] | None, typer.Option("--member", metavar="USER", help="Name or ARN. Repeatable.")
    ] = None,
    creator: As = None,
    public: Annotated[bool, typer.Option("--public", help="Everyone in the app instance finds and reads it.")] = False,
    unrestricted: Annotated[bool, typer.Option("--unrestricted", help="Members may add members.")] = False,
    metadata: Annotated[str | None, typer.Option(help="Up to 1024 characters.")] = None,
    url: Url = None,
    app_instance: AppInstance = None,
) -> None:
    """Make a channel; prints its ARN. The first member makes it, unless --as says who does.

    Example: [cyan]chime channel create general --member alice --member bob[/cyan]
    """
    members = member or []
    if creator is None and not members:
        raise typer.BadParameter("a channel needs someone who makes it: --as or --member", param_hint="--member")
    from chime_messaging.cli.people import create_channel

    create_channel(
        name,
        creator=creator or members[0],
        members=members,
        public=public,
        unrestricted=unrestricted,
        metadata=metadata,
        url=url,
        app_instance=app_instance,
    )


@channels.command("list")
def list_channels(user: As = None, json: Json = False, url: Url = None, app_instance: AppInstance = None) -> None:
    """List the channels of a user.

    Example: [cyan]chime channel list --as bob[/cyan]
    """
    if user is None:
        raise typer.BadParameter("say whose channels", param_hint="--as")
    from chime_messaging.cli.people import list_channels

    list_channels(user, json=json, url=url, app_instance=app_instance)


extensions.extend({"": app, "meeting": meetings, "load": loads})
