"""The generated modules are what the pinned protoc makes of the .proto files, and run on a wide range of runtimes."""

import importlib
import importlib.metadata
import importlib.resources
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).parents[3]
WIRE = ROOT / "chime_messaging" / "wire"
PROTOS = sorted(WIRE.glob("*.proto"))


def pinned_version() -> str:
    found = re.search(r'"grpcio-tools==([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert found is not None
    return found[1]


PROTOC = [sys.executable, "-m", "grpc_tools.protoc", "-I."]


@pytest.fixture
def installed() -> str:
    try:
        return importlib.metadata.version("grpcio-tools")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"pip install grpcio-tools=={pinned_version()} (extra dev) to regenerate and compare")


def test_there_are_protos() -> None:
    assert [path.name for path in PROTOS] == ["signaling.proto", "transcript.proto"]


@pytest.mark.parametrize("proto", PROTOS, ids=lambda path: path.name)
def test_a_generated_module_says_what_the_proto_says(proto: Path, installed: str, tmp_path: Path) -> None:
    assert installed
    target = tmp_path / "set"
    command = [*PROTOC, f"--descriptor_set_out={target}", str(proto.relative_to(ROOT))]
    subprocess.run(command, cwd=ROOT, check=True, timeout=50)
    [compiled] = FileDescriptorSet.FromString(target.read_bytes()).file
    module = importlib.import_module(f"chime_messaging.wire.{proto.stem}_pb2")
    generated = FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    assert _without_json_names(compiled) == _without_json_names(generated)


def _without_json_names(file: FileDescriptorProto) -> FileDescriptorProto:
    # They follow from the names; protoc adds them, its generator for Python leaves them out.
    messages = list(file.message_type)
    while messages:
        message = messages.pop()
        messages += message.nested_type
        for field in message.field:
            field.ClearField("json_name")
    return file


@pytest.mark.parametrize("proto", PROTOS, ids=lambda path: path.name)
def test_a_generated_module_is_what_the_pinned_protoc_makes(proto: Path, installed: str, tmp_path: Path) -> None:
    if installed != pinned_version():
        pytest.skip(f"grpcio-tools is {installed}; the text is that of {pinned_version()}")
    source = proto.relative_to(ROOT)
    command = [*PROTOC, f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", str(source)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=50)
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
