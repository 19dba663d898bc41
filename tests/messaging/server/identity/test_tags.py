from typing import Any

import pytest

from chime_messaging.server.operations import HANDLERS


def tags(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs]


def test_tags_are_added_replaced_and_removed(identity: Any) -> None:
    arn = identity.app_instance()
    identity("TagResource", ResourceARN=arn, Tags=tags(("a", "1"), ("b", "2")))
    identity("TagResource", ResourceARN=arn, Tags=tags(("b", "3"), ("c", "4")))
    assert identity("ListTagsForResource", ResourceARN=arn)["Tags"] == tags(("a", "1"), ("b", "3"), ("c", "4"))
    identity("UntagResource", ResourceARN=arn, TagKeys=["a", "unknown"])
    assert identity("ListTagsForResource", ResourceARN=arn)["Tags"] == tags(("b", "3"), ("c", "4"))


@pytest.mark.parametrize(
    "given",
    [
        tags(("aws:mine", "1")),
        tags(("AWS:mine", "1")),
        tags(("a", "1"), ("a", "2")),
        tags(("k" * 129, "1")),
        tags(("k", "v" * 257)),
        tags(("", "1")),
    ],
)
def test_tags_that_are_not_allowed_change_nothing(identity: Any, given: list[dict[str, str]]) -> None:
    arn = identity.app_instance()
    assert identity.refusal("TagResource", ResourceARN=arn, Tags=tags(("ok", "1")) + given) == "BadRequestException"
    assert identity.refusal("CreateAppInstance", Name="n", Tags=given) == "BadRequestException"
    assert identity("ListTagsForResource", ResourceARN=arn)["Tags"] == []
    assert len(identity("ListAppInstances")["AppInstances"]) == 1


def test_a_resource_has_at_most_fifty_tags(identity: Any) -> None:
    arn = identity.app_instance()
    identity("TagResource", ResourceARN=arn, Tags=tags(*((f"k{i}", "v") for i in range(50))))
    identity("TagResource", ResourceARN=arn, Tags=tags(("k0", "replaced")))
    more = {"ResourceARN": arn, "Tags": tags(("more", "v"))}
    assert identity.refusal("TagResource", **more) == "ResourceLimitExceededException"


def test_what_does_not_exist_cannot_be_tagged(identity: Any) -> None:
    owner = identity.app_instance()
    gone = {"ResourceARN": f"{owner}/user/nobody"}
    assert identity.refusal("TagResource", Tags=tags(("a", "1")), **gone) == "ForbiddenException"
    assert identity.refusal("UntagResource", TagKeys=["a"], **gone) == "ForbiddenException"
    assert identity.refusal("ListTagsForResource", **gone) == "ForbiddenException"
    assert identity.refusal("ListTagsForResource", ResourceARN="arn:aws:s3:::bucket") == "ForbiddenException"
    assert identity.refusal("ListTagsForResource", ResourceARN="bucket") == "BadRequestException"


def test_the_messaging_service_answers_the_same_operations() -> None:
    for name in ("TagResource", "UntagResource", "ListTagsForResource"):
        assert HANDLERS["messaging", name] is HANDLERS["identity", name]
