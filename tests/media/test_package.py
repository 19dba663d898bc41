from __future__ import annotations

import subprocess
import sys

import pytest

import chime_media


@pytest.mark.parametrize("name", chime_media.__all__)
def test_name_of_everyday_use_can_be_imported_from_the_package(name: str) -> None:
    assert getattr(chime_media, name).__name__ == name
    assert name in dir(chime_media)


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'MeetingManager'"):
        getattr(chime_media, "MeetingManager")  # noqa: B009


def test_importing_the_package_alone_loads_no_media_library() -> None:
    check = (
        "import sys, chime_media; "
        "print([name for name in ('av', 'aiortc', 'aioice', 'pylibsrtp', 'numpy', 'boto3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
