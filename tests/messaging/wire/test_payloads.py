"""Payload shapes against botocore's model: every member has our name and no more."""

from typing import Any, cast

import botocore.loaders
import msgspec
import pytest
from botocore.model import ServiceModel, StructureShape

from chime_messaging.wire import payloads

MODEL = ServiceModel(
    botocore.loaders.Loader().load_service_model("chime-sdk-messaging", "service-2"), "chime-sdk-messaging"
)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (payloads.ChannelMessage, "ChannelMessage"),
        (payloads.MessageSummary, "ChannelMessageSummary"),
        (payloads.Channel, "Channel"),
        (payloads.ChannelMembership, "ChannelMembership"),
        (payloads.BatchChannelMemberships, "BatchChannelMemberships"),
        (payloads.Identity, "Identity"),
        (payloads.MessageStatus, "ChannelMessageStatusStructure"),
        (payloads.AttributeValue, "MessageAttributeValue"),
        (payloads.Target, "Target"),
        (payloads.ElasticChannelConfiguration, "ElasticChannelConfiguration"),
        (payloads.ExpirationSettings, "ExpirationSettings"),
        (payloads.ChannelBan, "ChannelBan"),
        (payloads.ChannelModerator, "ChannelModerator"),
    ],
)
def test_a_payload_has_the_members_of_its_shape(kind: type[msgspec.Struct], shape: str) -> None:
    members: dict[str, Any] = cast("StructureShape", MODEL.shape_for(shape)).members
    assert set(kind.__struct_encode_fields__) == set(members)


def test_unknown_members_and_unknown_enumeration_values_are_accepted() -> None:
    message = msgspec.json.decode(
        b'{"ChannelArn":"a","MessageId":"m","Type":"NEW","Invented":[1]}', type=payloads.ChannelMessage
    )
    assert message.type == "NEW"
