import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chime_messaging.cli.main import explain
from chime_messaging.errors import ConfigurationError, ConnectError, CredentialsError, ForbiddenError

ROOT = Path(__file__).parents[3]
Run = Callable[..., tuple[int, str, str]]


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


def test_help_teaches_the_way_from_nothing(chime: Run) -> None:
    code, out, _ = chime("--help")
    assert code == 0
    steps = ["chime serve", 'eval "$(chime env)"', "chime channel create", "chime tail bob", "chime send general"]
    assert all(step in out for step in steps)


def test_help_loads_neither_boto3_nor_the_server() -> None:
    heavy = "{'boto3', 'botocore', 'uvicorn', 'sqlalchemy', 'websockets', 'anyio'}"
    run = python(
        "import sys\n"
        "from chime_messaging.cli.main import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit as e: print('HEAVY', sorted({heavy} & sys.modules.keys()))"
    )
    assert run.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize("command", ["serve", "env", "tail", "send", "demo", "user create", "channel create"])
def test_every_command_explains_itself(chime: Run, command: str) -> None:
    code, out, _ = chime(*command.split(), "-h")
    assert code == 0
    assert "Usage:" in out


def test_version(chime: Run) -> None:
    code, out, _ = chime("--version")
    assert (code, out.split()[0]) == (0, "chime")


def test_unknown_command_is_wrong_usage(chime: Run) -> None:
    code, _, err = chime("nonsense")
    assert code == 2
    assert "No such command" in err


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [("typer", "--help", "cli"), ("uvicorn", "serve", "server"), ("sqlalchemy", "serve", "server")],
)
def test_missing_package_names_the_extra_to_install(package: str, arguments: str, extra: str) -> None:
    run = python(
        f"import sys; sys.modules['{package}'] = None\nfrom chime_messaging.cli.main import main\nmain(['{arguments}'])"
    )
    assert run.returncode == 2
    assert run.stderr == f"chime: this command needs {package}: pip install 'chime-messaging[{extra}]'\n"


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ConfigurationError("user", "no"), 2, "chime: user: no\n"),
        (ForbiddenError("Op", 403, "Forbidden", "no"), 1, "chime: Op: 403 Forbidden: no\n"),
        (ConnectError("example.com", "refused"), 1, "chime: cannot connect to example.com: refused\n"),
        (OSError(28, "No space left on device"), 1, "chime: [Errno 28] No space left on device\n"),
    ],
)
def test_error_is_one_line(error: Exception, code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(error) == code
    assert capsys.readouterr().err == text


def test_advice_follows_what_a_newcomer_runs_into(capsys: pytest.CaptureFixture[str]) -> None:
    explain(CredentialsError("no AWS credentials found"))
    assert 'eval "$(chime env)"' in capsys.readouterr().err
    explain(ConnectError("127.0.0.1:8765", "Connection refused"))
    assert "chime serve" in capsys.readouterr().err


def test_error_of_our_own_making_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        explain(ZeroDivisionError())


def test_verbose_shows_the_traceback_wherever_it_stands(chime: Run) -> None:
    for arguments in (["--verbose", "user", "list", "--url", "x"], ["user", "list", "--url", "x", "--verbose"]):
        code, _, err = chime(*arguments)
        assert code == 2
        assert "Traceback" in err
        assert err.endswith("chime: url: 'x' is not like http://127.0.0.1:8765\n")


def test_verbose_after_the_end_of_options_is_text(chime: Run) -> None:
    _, _, err = chime("send", "--url", "x", "--as", "a", "general", "--", "--verbose")
    assert "Traceback" not in err
