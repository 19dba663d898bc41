"""The generated modules are what the pinned protoc makes of the .proto files, and run on a wide range of runtimes."""

import importlib.metadata
import importlib.resources
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WIRE = ROOT / "chime_messaging" / "wire"
PROTOS = sorted(WIRE.glob("*.proto"))


def pinned_version() -> str:
    found = re.search(r'"grpcio-tools==([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert found is not None
    return found[1]


@pytest.fixture
def protoc() -> list[str]:
    version = pinned_version()
    advice = f"pip install grpcio-tools=={version} (extra dev) to regenerate and compare"
    try:
        installed = importlib.metadata.version("grpcio-tools")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"no grpcio-tools: {advice}")
    if installed != version:
        pytest.skip(f"grpcio-tools is {installed}: {advice}")
    return [sys.executable, "-m", "grpc_tools.protoc"]


def test_there_are_protos() -> None:
    assert [path.name for path in PROTOS] == ["signaling.proto", "transcript.proto"]


@pytest.mark.parametrize("proto", PROTOS, ids=lambda path: path.name)
def test_a_generated_module_is_up_to_date(proto: Path, protoc: list[str], tmp_path: Path) -> None:
    source = proto.relative_to(ROOT)
    subprocess.run(
        [*protoc, "-I.", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", str(source)],
        cwd=ROOT,
        check=True,
        timeout=50,
    )
    for suffix in ("_pb2.py", "_pb2.pyi"):
        name = source.with_name(source.stem + suffix)
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), f"{name} is not what protoc makes"


@pytest.mark.parametrize("proto", PROTOS, ids=lambda path: path.name)
def test_a_generated_module_runs_on_every_protobuf_that_the_package_allows(proto: Path) -> None:
    generated = proto.with_name(proto.stem + "_pb2.py").read_text()
    version = re.search(r"Protobuf Python Version: (\d+)\.(\d+)\.(\d+)", generated)
    required = re.search(r'"protobuf>=(\d+)\.(\d+)\.(\d+),<(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert version is not None
    assert required is not None
    # A runtime takes what a protoc of its own major version or of the one before wrote, if it is not newer.
    assert tuple(map(int, version.groups())) <= tuple(map(int, required.groups()[:3]))
    assert int(required[4]) <= int(version[1]) + 2


def test_the_protos_are_in_the_package() -> None:
    files = importlib.resources.files("chime_messaging.wire")
    assert all(files.joinpath(path.name).is_file() for path in PROTOS)
