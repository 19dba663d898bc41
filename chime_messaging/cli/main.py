"""The entry point of ``chime``: says what went wrong in one line, and what to do about it.

Exit codes: 0 done (also after Ctrl-C, for the commands that run until then), 1 failed, 2 wrong usage or something that
must be installed or set up first.
"""

from __future__ import annotations

import logging
import sys
import traceback

EXTRAS = {
    "typer": "cli",
    "rich": "cli",
    "uvicorn": "server",
    "uvloop": "server",
    "httptools": "server",
    "sqlalchemy": "server",
    "trustme": "server",
    "prometheus_client": "server",
    "aiortc": "media",
    "aioice": "media",
    "av": "media",
    "numpy": "media",
    "pylibsrtp": "media",
    "OpenSSL": "media",
    "PIL": "media",
    "sounddevice": "microphone",
    "mss": "screen",
}
"""Package -> the extra of this distribution that brings it."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def main(arguments: list[str] | None = None) -> None:
    """Run ``chime`` with the arguments of the process (or the given ones), and exit."""
    arguments, verbose = _split_verbose(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(
        level=logging.WARNING if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s"
    )
    # Commands say themselves what the log would repeat. And only our own records: botocore's debug log has signatures.
    logging.getLogger("chime_messaging").setLevel(logging.DEBUG if verbose else logging.CRITICAL)
    try:
        from chime_messaging.cli.app import app

        app(arguments, prog_name="chime")
    except Exception as error:
        if verbose:
            traceback.print_exc()
        sys.exit(explain(error))
    except KeyboardInterrupt:
        sys.exit(130)


def explain(error: Exception) -> int:
    """Print one line about an error and give the exit code for it.

    Raises:
        Exception: the error itself, if it is none that a user can do something about.
    """
    from chime_messaging.errors import ChimeError, ConfigurationError, ConnectError, CredentialsError

    advice = ""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        extra = EXTRAS.get(package)
        if extra is None:
            raise error
        text = f"this command needs {package}: pip install 'chime-messaging[{extra}]'"
        code = 2
    elif isinstance(error, CredentialsError | ConfigurationError):
        text, code = str(error), 2
        if isinstance(error, CredentialsError) or error.field == "region":
            advice = ' (for a local server: eval "$(chime env)", or --url http://127.0.0.1:8765)'
    elif isinstance(error, ChimeError | OSError):
        text, code = str(error), 1
        if isinstance(error, ConnectError) and error.host.startswith(LOCAL_HOSTS):
            advice = " (is the server running? chime serve)"
    else:
        raise error
    print(f"chime: {text}{advice}", file=sys.stderr)
    return code


def _split_verbose(arguments: list[str]) -> tuple[list[str], bool]:
    """Take ``--verbose`` out, wherever it stands before ``--``: people add it at the end of what has just failed."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--verbose"]
    return options + arguments[end:], len(options) < end


if __name__ == "__main__":
    main()
