from dataclasses import replace
from typing import Any

import pytest

from chime_messaging.server.configuration import Authorization
from chime_messaging.server.rest.shapes import body
from tests.messaging.server.messaging.chat import Chat


class Scene:
    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.admin = chat.user("Admin", admin=True)
        self.ann, self.bob, self.eve = chat.user("Ann"), chat.user("Bob"), chat.user("Eve")
        chat.channel(self.ann, self.bob, name="pair")
        chat.channel(self.ann, self.bob, self.eve, name="three")
        chat.channel(self.bob, self.eve, name="others")
        chat.channel(self.ann, self.bob, name="watched", hidden=(self.eve,))

    def fields(self, operator: str, *members: str) -> list[dict[str, Any]]:
        return [{"Key": "MEMBERS", "Operator": operator, "Values": list(members)}]

    def found(self, bearer: str | None, operator: str, *members: str, **params: Any) -> list[str]:
        answer = self.chat.call("SearchChannels", bearer, Fields=self.fields(operator, *members), **params)
        body("messaging", "SearchChannelsResponse", answer)
        return sorted(channel["Name"] for channel in answer["Channels"])


@pytest.fixture
def scene(chat: Chat) -> Scene:
    return Scene(chat)


def test_equals_wants_exactly_these_members(scene: Scene) -> None:
    assert scene.found(scene.ann, "EQUALS", scene.ann, scene.bob) == ["pair", "watched"]
    assert scene.found(scene.ann, "EQUALS", scene.bob, scene.eve, scene.ann, scene.bob) == ["three"]
    assert scene.found(scene.ann, "EQUALS", scene.ann) == []


def test_includes_wants_at_least_these(scene: Scene) -> None:
    assert scene.found(scene.ann, "INCLUDES", scene.bob) == ["pair", "three", "watched"]
    assert scene.found(scene.ann, "INCLUDES", scene.ann, scene.eve) == ["three"]


def test_users_find_their_own_channels_only(scene: Scene) -> None:
    assert scene.found(scene.ann, "INCLUDES", scene.bob, scene.eve) == ["three"]
    assert scene.found(scene.ann, "EQUALS", scene.bob, scene.eve) == []


def test_administrators_and_calls_without_a_bearer_find_all(scene: Scene) -> None:
    for bearer in (scene.admin, None):
        assert scene.found(bearer, "INCLUDES", scene.bob, scene.eve) == ["others", "three"]
        assert scene.found(bearer, "EQUALS", scene.bob, scene.eve) == ["others"]
    scene.chat.configuration = replace(scene.chat.configuration, authorization=Authorization.TRUST)
    assert scene.found(scene.ann, "EQUALS", scene.bob, scene.eve) == ["others"]


def test_hidden_members_are_not_found_but_find(scene: Scene) -> None:
    assert scene.found(scene.ann, "INCLUDES", scene.eve) == ["three"]
    assert scene.found(scene.eve, "EQUALS", scene.ann, scene.bob) == ["watched"]


def test_several_fields_must_all_hold(scene: Scene) -> None:
    fields = scene.fields("INCLUDES", scene.ann) + scene.fields("INCLUDES", scene.eve)
    answer = scene.chat.call("SearchChannels", scene.admin, Fields=fields)
    assert [channel["Name"] for channel in answer["Channels"]] == ["three"]


def test_results_come_on_pages_that_belong_to_the_search(scene: Scene) -> None:
    params = {"Fields": scene.fields("INCLUDES", scene.bob), "MaxResults": 2}
    first = scene.chat.call("SearchChannels", scene.admin, **params)
    second = scene.chat.call("SearchChannels", scene.admin, **params, NextToken=first["NextToken"])
    names = [channel["Name"] for channel in first["Channels"] + second["Channels"]]
    assert sorted(names) == ["others", "pair", "three", "watched"]
    assert second["NextToken"] is None
    other = {"Fields": scene.fields("EQUALS", scene.bob), "NextToken": first["NextToken"]}
    assert scene.chat.refused("SearchChannels", scene.admin, **other) == "BadRequestException"


def test_values_without_a_common_app_instance_are_refused_without_a_bearer(scene: Scene) -> None:
    for values in (("nonsense",), (scene.ann, scene.bob.replace("11111111", "22222222"))):
        fields = scene.fields("EQUALS", *values)
        assert scene.chat.refused("SearchChannels", None, Fields=fields) == "BadRequestException"
    assert scene.found(scene.ann, "EQUALS", "nonsense") == []
