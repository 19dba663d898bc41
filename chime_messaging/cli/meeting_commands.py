"""The commands about meetings and their options. What they do stands in the modules that they import when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from chime_messaging.cli.options import Url

meetings = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Make and end meetings, and their attendees."
)
data = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Data messages of a meeting, as pipes.")
loads = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Put load on a server, and measure.")

Meeting = Annotated[
    str | None,
    typer.Option(
        "--meeting", envvar="CHIME_MEETING", metavar="MEETING", help="Id or ARN; on a local server also a name."
    ),
]
User = Annotated[
    str | None, typer.Option("--as", metavar="USER", envvar="CHIME_USER", help="ExternalUserId of who joins.")
]
Join = Annotated[
    str | None,
    typer.Option("--join", metavar="FILE", help="What chime meeting attendee has printed (- for stdin), instead."),
]
MeetingName = Annotated[
    str, typer.Argument(help="Id or ARN; on a local server also a name, which makes it.", metavar="MEETING")
]


@meetings.command("create")
def create_meeting(
    name: Annotated[
        str, typer.Argument(help="ExternalMeetingId; the same name gives the same meeting until it is over.")
    ],
    attendee: Annotated[
        list[str] | None, typer.Option("--attendee", metavar="USER", help="ExternalUserId. Repeatable.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The meeting and its attendees with their join tokens.")] = False,
    url: Url = None,
) -> None:
    """Make a meeting; prints its id.

    Example: [cyan]chime meeting create standup --attendee alice --attendee bob[/cyan]
    """
    from chime_messaging.cli.meeting import create_meeting

    create_meeting(name, attendees=attendee or [], json=json, url=url)


@meetings.command("list")
def list_attendees(
    meeting: MeetingName,
    json: Annotated[bool, typer.Option("--json", help="JSON lines, with the join tokens.")] = False,
    url: Url = None,
) -> None:
    """List the attendees of a meeting: who may join it. The service has no list of meetings.

    Example: [cyan]chime meeting list standup[/cyan]
    """
    from chime_messaging.cli.meeting import list_attendees

    list_attendees(meeting, json=json, url=url)


@meetings.command("delete")
def delete_meeting(meeting: MeetingName, url: Url = None) -> None:
    """End a meeting: everybody in it is disconnected, nobody can join any more.

    Example: [cyan]chime meeting delete standup[/cyan]
    """
    from chime_messaging.cli.meeting import delete_meeting

    delete_meeting(meeting, url=url)


@meetings.command("attendee")
def create_attendee(
    meeting: MeetingName,
    user: Annotated[str, typer.Argument(help="ExternalUserId; the same user is the same attendee.")],
    url: Url = None,
) -> None:
    """Make an attendee; prints what any Chime SDK client needs to join, as JSON. That holds a secret, the join token.

    Example: [cyan]chime meeting attendee standup bob > bob.json; chime data sub --join bob.json[/cyan]
    """
    from chime_messaging.cli.meeting import create_attendee

    create_attendee(meeting, user, url=url)


@data.command(epilog="Lost connections are made again without end. Ctrl-C or SIGTERM ends it with exit code 0.")
def sub(
    topic: Annotated[list[str] | None, typer.Argument(help="Only these topics.", metavar="TOPIC")] = None,
    meeting: Meeting = None,
    user: User = None,
    join: Join = None,
    count: Annotated[int | None, typer.Option(min=1, help="End with exit code 0 after so many messages.")] = None,
    roster: Annotated[bool, typer.Option("--roster", help="Also who comes and goes.")] = False,
    url: Url = None,
) -> None:
    """Print the data messages of a meeting, as JSON lines; those kept for latecomers first.

    Example: [cyan]chime data sub chat --meeting standup --as bob | jq .text[/cyan]
    """
    from chime_messaging.cli.data import Joining, subscribe

    subscribe(Joining(meeting, user, join, url), topic or [], count=count, roster=roster)


@data.command(
    epilog="Messages are sent at the pace that the service allows. Those that come back because others send, too, are "
    "printed as JSON, and make the exit code 1."
)
def pub(
    topic: Annotated[str, typer.Argument(help="1 to 36 letters, digits, hyphens, underscores.", metavar="TOPIC")],
    text: Annotated[list[str] | None, typer.Argument(help="The message; without it, one per line of stdin.")] = None,
    meeting: Meeting = None,
    user: User = None,
    join: Join = None,
    lifetime: Annotated[
        float, typer.Option(min=0, max=300, metavar="SECONDS", help="How long it is kept for those who join later.")
    ] = 0.0,
    resend: Annotated[bool, typer.Option("--resend", help="Send again what comes back.")] = False,
    url: Url = None,
) -> None:
    """Send data messages to everybody else in a meeting.

    Example: [cyan]tail -f log | chime data pub log --meeting standup --as robot --lifetime 60[/cyan]
    """
    from chime_messaging.cli.data import Joining, publish

    came_back = publish(Joining(meeting, user, join, url), topic, " ".join(text) if text else None, lifetime=lifetime)
    raise typer.Exit(1 if came_back else 0)


@loads.command("data", epilog="Exit code 0 if every message reached everybody else exactly once, else 1.")
def load_data(
    attendees: Annotated[int, typer.Option(min=2, max=10_000, help="How many join, in this one process.")] = 20,
    rate: Annotated[float, typer.Option(min=0.1, help="Messages a second, of all senders together.")] = 50.0,
    size: Annotated[int, typer.Option(max=2048, metavar="BYTES", help="Of each message.")] = 256,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to send.")] = 10.0,
    senders: Annotated[int, typer.Option(min=1, help="How many of the attendees send, in turns.")] = 1,
    unpaced: Annotated[
        bool, typer.Option("--unpaced", help="Do not keep to the service's limit: see messages come back.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    url: Url = None,
) -> None:
    """Have attendees of a local server's meeting send data messages; shows latencies and what was lost.

    Example: [cyan]chime load data --attendees 250 --rate 90 --seconds 30[/cyan]
    """
    from chime_messaging.cli.load import Plan, run

    plan = Plan(attendees, senders, rate, size, seconds, paced=not unpaced)
    raise typer.Exit(run(plan, json=json, url=url))
