from chime_messaging.server.store.memberships import find_memberships
from tests.messaging.server.messaging.chat import ELASTIC, Chat


def test_a_marker_is_set_to_now_for_the_bearer_alone(chat: Chat) -> None:
    ada, bob = chat.user("Ada"), chat.user("Bob")
    channel = chat.channel(ada, bob)
    chat.now += 5000
    assert chat.call("UpdateChannelReadMarker", ada, ChannelArn=channel) == {"ChannelArn": channel}
    assert chat.work(lambda tx: find_memberships(tx, channel, ada))[0].read_marker == chat.now
    assert chat.work(lambda tx: find_memberships(tx, channel, bob))[0].read_marker is None
    assert chat.events() == []


def test_a_membership_is_needed_whatever_the_role(chat: Chat) -> None:
    admin, moderator, stranger = chat.user("Admin", admin=True), chat.user("Moderator"), chat.user("Stranger")
    channel = chat.channel(privacy="PUBLIC")
    chat.moderator(channel, moderator)
    for bearer in (admin, moderator, stranger):
        assert chat.refused("UpdateChannelReadMarker", bearer, ChannelArn=channel) == "ForbiddenException"


def test_hidden_members_have_markers_too(chat: Chat) -> None:
    ada = chat.user("Ada")
    assert chat.call("UpdateChannelReadMarker", ada, ChannelArn=chat.channel(hidden=(ada,)))


def test_elastic_channels_have_none(chat: Chat) -> None:
    ada = chat.user("Ada")
    channel = chat.channel(elastic=ELASTIC)
    chat.join(channel, ada, part="one")
    assert chat.refused("UpdateChannelReadMarker", ada, ChannelArn=channel) == "BadRequestException"
