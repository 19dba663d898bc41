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
    """Make an attendee; prints what any Chime SDK client needs to join, as JSON. It holds a secret: the join token.

    Example: [cyan]chime meeting attendee standup bob > bob.json; chime data sub --join bob.json[/cyan]
    """
    from chime_messaging.cli.meeting import create_attendee

    create_attendee(meeting, user, url=url)
