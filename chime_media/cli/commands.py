"""The commands about media and their options. What they do stands in the modules that they import when they run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from chime_messaging.cli.options import Url

MeetingName = Annotated[
    str, typer.Argument(help="Id or ARN; on a local server also a name, which makes it.", metavar="MEETING")
]
Join = Annotated[
    str | None,
    typer.Option("--join", metavar="FILE", help="What chime meeting attendee has printed (- for stdin), instead."),
]
OptionalMeeting = Annotated[
    str | None,
    typer.Argument(help="Id or ARN; on a local server also a name, which makes it.", metavar="MEETING"),
]
Name = Annotated[
    str | None, typer.Option("--as", metavar="NAME", envvar="CHIME_USER", help="ExternalUserId of who joins.")
]
Duration = Annotated[
    float | None,
    typer.Option("--duration", min=0.1, metavar="SECONDS", help="Leave after so long.", show_default=False),
]


def extend(groups: Mapping[str, typer.Typer]) -> None:
    """Add the commands of this package to those of ``chime``."""
    meeting, load = groups["meeting"], groups["load"]
    meeting.command("join", epilog="Ctrl-C, SIGTERM, the end of the meeting and --duration end it with exit code 0.")(
        join
    )
    meeting.command("record", epilog="Exit code 1 if neither sound nor pictures arrived; then there is no file.")(
        record
    )
    meeting.command("share", epilog="It ends with the file, or with Ctrl-C.")(share)
    load.command("meeting", epilog="Exit code 0 if everybody joined, stayed, and all was heard, else 1.")(load_meeting)


def join(
    meeting: OptionalMeeting = None,
    name: Name = None,
    speak: Annotated[
        str | None, typer.Option(metavar="FILE|tone:HZ|microphone", help="What is said; silence without it.")
    ] = None,
    show: Annotated[
        str | None, typer.Option(metavar="FILE|testcard|screen", help="What is shown as the own video.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Record what is heard and seen: .mp4, .mov or .mkv.")
    ] = None,
    mute: Annotated[bool, typer.Option("--mute", help="Join muted.")] = False,
    duration: Duration = None,
    join: Join = None,
    url: Url = None,
) -> None:
    """Take part in a meeting, with sound and pictures; shows live who is there and who speaks.

    Example: [cyan]chime meeting join standup --as bot --speak hello.wav --show testcard[/cyan]
    """
    from chime_media.cli.join import Part
    from chime_media.cli.join import join as run
    from chime_messaging.cli.data import Joining

    part = Part(speak=speak, show=show, record=record, mute=mute, duration=duration)
    run(Joining(meeting, name, join, url), part)


def record(
    meeting: MeetingName,
    out: Annotated[Path, typer.Argument(help="File to write: .mp4, .mov or .mkv.", metavar="OUT")],
    name: Annotated[
        str, typer.Option("--as", metavar="NAME", envvar="CHIME_USER", help="ExternalUserId of the recorder.")
    ] = "recorder",
    grid: Annotated[
        bool,
        typer.Option("--grid/--speaker", help="All side by side, or what is shared and else who speaks."),
    ] = False,
    tracks: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Beside it write each video into a file of its own there.")
    ] = None,
    duration: Duration = None,
    url: Url = None,
) -> None:
    """Record a meeting until Ctrl-C or its end: all sound, and the pictures of who speaks or of all.

    Example: [cyan]chime meeting record standup standup.mp4 --grid[/cyan]
    """
    from chime_media.cli.join import Part
    from chime_media.cli.join import join as run
    from chime_messaging.cli.data import Joining

    part = Part(record=out, layout="grid" if grid else "speaker", tracks=tracks, mute=True, duration=duration)
    run(Joining(meeting, name, None, url), part)


def share(
    meeting: MeetingName,
    file: Annotated[str, typer.Argument(help="A film, sound, or the word screen.", metavar="FILE|screen")],
    name: Annotated[
        str, typer.Option("--as", metavar="NAME", envvar="CHIME_USER", help="ExternalUserId of who shares.")
    ] = "presenter",
    loop: Annotated[bool, typer.Option("--loop", help="Begin anew at the end of the file.")] = False,
    url: Url = None,
) -> None:
    """Share a file, pictures and sound, with everybody in a meeting.

    Example: [cyan]chime meeting share standup slides.mp4 --as alice[/cyan]
    """
    from chime_media.cli.join import share as run
    from chime_messaging.cli.data import Joining

    run(Joining(meeting, name, None, url), file, loop=loop)


def load_meeting(
    attendees: Annotated[int, typer.Option(min=2, max=250, help="How many join, in this one process.")] = 20,
    talkers: Annotated[int, typer.Option(min=1, max=25, help="How many of them talk.")] = 2,
    listeners: Annotated[
        int, typer.Option(min=1, max=250, help="How many decode what they hear; for the others it is counted.")
    ] = 3,
    video: Annotated[bool, typer.Option("--video", help="The talkers also show a test card to everybody.")] = False,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long to stay once all have joined.")] = 10.0,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    url: Url = None,
) -> None:
    """Have attendees of a local server's meeting talk and listen; shows what is lost, latency, CPU and memory.

    Example: [cyan]chime load meeting --attendees 50 --video --seconds 30[/cyan]
    """
    from chime_media.cli.load import Plan, run

    plan = Plan(attendees, min(talkers, attendees), min(listeners, attendees), video, seconds)
    raise typer.Exit(run(plan, json=json, url=url))
