import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chime_messaging.server.local_server import LocalServer

ROOT = Path(__file__).parents[3]
Run = Callable[..., tuple[int, str, str]]

PROGRAM = """
import boto3
print(boto3.client("chime-sdk-identity").create_app_instance(Name="by env")["AppInstanceArn"])
"""


def test_unmodified_boto3_runs_with_eval(environment: dict[str, str], server: LocalServer) -> None:
    chime = f'"{sys.executable}" -m chime_messaging.cli.main'
    script = f'eval "$({chime} env --port {server.port})" && "{sys.executable}" -c \'{PROGRAM}\''
    run = subprocess.run(
        ["sh", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert run.stdout.startswith("arn:aws:chime:us-east-1:"), run.stderr


def test_json_has_all_three_services_and_dummy_keys(chime: Run) -> None:
    code, out, _ = chime("env", "--port", "1234", "--shell", "json")
    variables = json.loads(out)
    assert code == 0
    for service in ("MESSAGING", "IDENTITY", "MEETINGS"):
        assert variables[f"AWS_ENDPOINT_URL_CHIME_SDK_{service}"] == "http://127.0.0.1:1234"
    assert variables["AWS_REGION"] == "us-east-1"
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= variables.keys()


def test_tls_names_an_authority_that_exists_before_any_server_ran(chime: Run) -> None:
    _, out, _ = chime("env", "--tls", "--shell", "json")
    variables = json.loads(out)
    assert variables["AWS_ENDPOINT_URL_CHIME_SDK_MESSAGING"] == "https://127.0.0.1:8765"
    assert "BEGIN CERTIFICATE" in Path(variables["AWS_CA_BUNDLE"]).read_text()


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("sh", "export AWS_REGION=us-east-1"),
        ("fish", "set -gx AWS_REGION 'us-east-1'"),
        ("powershell", "$Env:AWS_REGION = 'us-east-1'"),
        ("dotenv", "AWS_REGION=us-east-1"),
    ],
)
def test_every_shell_has_its_syntax(chime: Run, shell: str, line: str) -> None:
    _, out, _ = chime("env", "--shell", shell)
    assert line in out.splitlines()


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")
def test_path_with_spaces_and_quotes_survives_the_shell(environment: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "it's a state"
    chime = f'"{sys.executable}" -m chime_messaging.cli.main'
    run = subprocess.run(
        ["sh", "-c", f'eval "$({chime} env --tls)" && cat "$AWS_CA_BUNDLE"'],
        cwd=ROOT,
        env=environment | {"XDG_STATE_HOME": str(state)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "BEGIN CERTIFICATE" in run.stdout, run.stderr
