"""A small world of one of everything, made by boto3, and a valid request for each of the 81 operations."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.interop.conftest import LocalChime

Request = dict[str, Any]
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:processor"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/chime-messaging-all"
PUSH = "arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789"
LEX = "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIJ/TSTALIASID"


class World:
    """One app instance; alice moderates the channel, bob is a member, carol a stranger, root an admin."""

    def __init__(self, chime: LocalChime) -> None:
        self.identity, self.messaging = chime.identity, chime.messaging
        self.app_instance = self.identity.create_app_instance(Name="world")["AppInstanceArn"]
        self.alice, self.bob, self.carol, self.root = (self.user(name) for name in ("alice", "bob", "carol", "root"))
        self.identity.create_app_instance_admin(AppInstanceArn=self.app_instance, AppInstanceAdminArn=self.root)
        self.channel = self.new_channel()
        self.message = self.send("hello")

    def user(self, name: str) -> str:
        answer = self.identity.create_app_instance_user(
            AppInstanceArn=self.app_instance, AppInstanceUserId=f"{name}-{uuid4()}", Name=name
        )
        return str(answer["AppInstanceUserArn"])

    def new_channel(self, **settings: Any) -> str:
        request = {"AppInstanceArn": self.app_instance, "Name": "general", "ChimeBearer": self.alice}
        members = {} if "ElasticChannelConfiguration" in settings else {"MemberArns": [self.bob]}
        return str(self.messaging.create_channel(**request | members | settings)["ChannelArn"])

    def send(self, content: str) -> str:
        answer = self.messaging.send_channel_message(
            ChannelArn=self.channel, Content=content, Type="STANDARD", Persistence="PERSISTENT", ChimeBearer=self.alice
        )
        return str(answer["MessageId"])

    @property
    def processors(self) -> list[Request]:
        configuration = {"Lambda": {"ResourceArn": LAMBDA, "InvocationType": "ASYNC"}}
        return [
            {"Name": "p", "Configuration": configuration, "ExecutionOrder": 1, "FallbackAction": "CONTINUE"},
        ]

    @property
    def lex(self) -> Request:
        return {"Lex": {"LexBotAliasArn": LEX, "LocaleId": "en_US", "RespondsTo": "STANDARD_MESSAGES"}}

    def flow(self) -> str:
        answer = self.messaging.create_channel_flow(
            AppInstanceArn=self.app_instance, Processors=self.processors, Name="flow"
        )
        return str(answer["ChannelFlowArn"])

    def associated_flow(self) -> str:
        flow = self.flow()
        self.messaging.associate_channel_flow(ChannelArn=self.channel, ChannelFlowArn=flow, ChimeBearer=self.alice)
        return flow

    def bot(self) -> str:
        answer = self.identity.create_app_instance_bot(
            AppInstanceArn=self.app_instance, Name="bot", Configuration=self.lex
        )
        return str(answer["AppInstanceBotArn"])

    def ban(self) -> str:
        self.messaging.create_channel_ban(ChannelArn=self.channel, MemberArn=self.carol, ChimeBearer=self.alice)
        return self.carol

    def moderator(self) -> str:
        self.messaging.create_channel_moderator(
            ChannelArn=self.channel, ChannelModeratorArn=self.bob, ChimeBearer=self.alice
        )
        return self.bob

    def streaming(self) -> str:
        self.messaging.put_messaging_streaming_configurations(
            AppInstanceArn=self.app_instance, StreamingConfigurations=self.streams
        )
        return str(self.app_instance)

    @property
    def streams(self) -> list[Request]:
        return [{"DataType": "ChannelMessage", "ResourceArn": STREAM}]

    def endpoint(self) -> Request:
        answer = self.identity.register_app_instance_user_endpoint(**VALID["RegisterAppInstanceUserEndpoint"](self))
        return {"AppInstanceUserArn": self.alice, "EndpointId": answer["EndpointId"]}

    # Where a request goes: the channel by its moderator, one of its messages, its member, the app instance.

    @property
    def by_moderator(self) -> Request:
        return {"ChannelArn": self.channel, "ChimeBearer": self.alice}

    @property
    def to_message(self) -> Request:
        return self.by_moderator | {"MessageId": self.message}

    @property
    def member(self) -> Request:
        return self.by_moderator | {"MemberArn": self.bob}

    @property
    def instance(self) -> Request:
        return {"AppInstanceArn": self.app_instance}


ELASTIC = {"MaximumSubChannels": 2, "TargetMembershipsPerSubChannel": 2, "MinimumMembershipPercentage": 40}
EXPIRATION = {"ExpirationDays": 1, "ExpirationCriterion": "CREATED_TIMESTAMP"}
PREFERENCES = {"PushNotifications": {"AllowNotifications": "ALL"}}
TAG = {"Key": "colour", "Value": "blue"}

VALID: dict[str, Callable[[World], Request]] = {
    # chime-sdk-messaging
    "AssociateChannelFlow": lambda w: w.by_moderator | {"ChannelFlowArn": w.flow()},
    "BatchCreateChannelMembership": lambda w: w.by_moderator | {"MemberArns": [w.carol], "Type": "DEFAULT"},
    "CreateChannel": lambda w: w.instance | {"Name": "new", "ChimeBearer": w.alice},
    "CreateChannelBan": lambda w: w.by_moderator | {"MemberArn": w.carol},
    "CreateChannelFlow": lambda w: w.instance | {"Processors": w.processors, "Name": "flow"},
    "CreateChannelMembership": lambda w: w.by_moderator | {"MemberArn": w.carol, "Type": "DEFAULT"},
    "CreateChannelModerator": lambda w: w.by_moderator | {"ChannelModeratorArn": w.bob},
    "DeleteChannel": lambda w: w.by_moderator,
    "DeleteChannelBan": lambda w: w.by_moderator | {"MemberArn": w.ban()},
    "DeleteChannelFlow": lambda w: {"ChannelFlowArn": w.flow()},
    "DeleteChannelMembership": lambda w: w.member,
    "DeleteChannelMessage": lambda w: w.to_message | {"ChimeBearer": w.root},
    "DeleteChannelModerator": lambda w: w.by_moderator | {"ChannelModeratorArn": w.moderator()},
    "DeleteMessagingStreamingConfigurations": lambda w: {"AppInstanceArn": w.streaming()},
    "DescribeChannel": lambda w: w.by_moderator,
    "DescribeChannelBan": lambda w: w.by_moderator | {"MemberArn": w.ban()},
    "DescribeChannelFlow": lambda w: {"ChannelFlowArn": w.flow()},
    "DescribeChannelMembership": lambda w: w.member,
    "DescribeChannelMembershipForAppInstanceUser": lambda w: w.by_moderator | {"AppInstanceUserArn": w.alice},
    "DescribeChannelModeratedByAppInstanceUser": lambda w: w.by_moderator | {"AppInstanceUserArn": w.alice},
    "DescribeChannelModerator": lambda w: w.by_moderator | {"ChannelModeratorArn": w.alice},
    "DisassociateChannelFlow": lambda w: w.by_moderator | {"ChannelFlowArn": w.associated_flow()},
    "GetChannelMembershipPreferences": lambda w: w.member | {"ChimeBearer": w.bob},
    "GetChannelMessage": lambda w: w.to_message,
    "GetChannelMessageStatus": lambda w: w.to_message,
    "GetMessagingSessionEndpoint": lambda w: {},
    "GetMessagingStreamingConfigurations": lambda w: {"AppInstanceArn": w.streaming()},
    "ListChannelBans": lambda w: w.by_moderator,
    "ListChannelFlows": lambda w: w.instance,
    "ListChannelMemberships": lambda w: w.by_moderator,
    "ListChannelMembershipsForAppInstanceUser": lambda w: {"ChimeBearer": w.alice},
    "ListChannelMessages": lambda w: w.by_moderator,
    "ListChannelModerators": lambda w: w.by_moderator,
    "ListChannels": lambda w: w.instance | {"ChimeBearer": w.alice},
    "ListChannelsAssociatedWithChannelFlow": lambda w: {"ChannelFlowArn": w.associated_flow()},
    "ListChannelsModeratedByAppInstanceUser": lambda w: {"ChimeBearer": w.alice},
    "ListSubChannels": lambda w: w.by_moderator | {"ChannelArn": w.new_channel(ElasticChannelConfiguration=ELASTIC)},
    "ListTagsForResource": lambda w: {"ResourceARN": w.channel},
    "PutChannelExpirationSettings": lambda w: w.by_moderator | {"ExpirationSettings": EXPIRATION},
    "PutChannelMembershipPreferences": lambda w: w.member | {"ChimeBearer": w.bob, "Preferences": PREFERENCES},
    "PutMessagingStreamingConfigurations": lambda w: w.instance | {"StreamingConfigurations": w.streams},
    "RedactChannelMessage": lambda w: w.to_message,
    "SearchChannels": lambda w: {
        "ChimeBearer": w.alice,
        "Fields": [{"Key": "MEMBERS", "Operator": "INCLUDES", "Values": [w.alice]}],
    },
    "SendChannelMessage": lambda w: w.by_moderator | {"Content": "x", "Type": "STANDARD", "Persistence": "PERSISTENT"},
    "TagResource": lambda w: {"ResourceARN": w.channel, "Tags": [TAG]},
    "UntagResource": lambda w: {"ResourceARN": w.channel, "TagKeys": ["colour"]},
    "UpdateChannel": lambda w: w.by_moderator | {"Name": "renamed"},
    "UpdateChannelFlow": lambda w: {"ChannelFlowArn": w.flow(), "Processors": w.processors, "Name": "renamed"},
    "UpdateChannelMessage": lambda w: w.to_message | {"Content": "edited"},
    "UpdateChannelReadMarker": lambda w: w.by_moderator,
    # chime-sdk-identity
    "CreateAppInstance": lambda w: {"Name": "another"},
    "CreateAppInstanceAdmin": lambda w: w.instance | {"AppInstanceAdminArn": w.alice},
    "CreateAppInstanceBot": lambda w: w.instance | {"Name": "bot", "Configuration": w.lex},
    "CreateAppInstanceUser": lambda w: w.instance | {"AppInstanceUserId": "dora", "Name": "Dora"},
    "DeleteAppInstance": lambda w: w.instance,
    "DeleteAppInstanceAdmin": lambda w: w.instance | {"AppInstanceAdminArn": w.root},
    "DeleteAppInstanceBot": lambda w: {"AppInstanceBotArn": w.bot()},
    "DeleteAppInstanceUser": lambda w: {"AppInstanceUserArn": w.carol},
    "DeregisterAppInstanceUserEndpoint": lambda w: w.endpoint(),
    "DescribeAppInstance": lambda w: w.instance,
    "DescribeAppInstanceAdmin": lambda w: w.instance | {"AppInstanceAdminArn": w.root},
    "DescribeAppInstanceBot": lambda w: {"AppInstanceBotArn": w.bot()},
    "DescribeAppInstanceUser": lambda w: {"AppInstanceUserArn": w.alice},
    "DescribeAppInstanceUserEndpoint": lambda w: w.endpoint(),
    "GetAppInstanceRetentionSettings": lambda w: w.instance,
    "ListAppInstanceAdmins": lambda w: w.instance,
    "ListAppInstanceBots": lambda w: w.instance,
    "ListAppInstanceUserEndpoints": lambda w: {"AppInstanceUserArn": w.alice},
    "ListAppInstanceUsers": lambda w: w.instance,
    "ListAppInstances": lambda w: {},
    "PutAppInstanceRetentionSettings": lambda w: (
        w.instance | {"AppInstanceRetentionSettings": {"ChannelRetentionSettings": {"RetentionDays": 1}}}
    ),
    "PutAppInstanceUserExpirationSettings": lambda w: {"AppInstanceUserArn": w.bob, "ExpirationSettings": EXPIRATION},
    "RegisterAppInstanceUserEndpoint": lambda w: {
        "AppInstanceUserArn": w.alice,
        "Type": "APNS",
        "ResourceArn": PUSH,
        "EndpointAttributes": {"DeviceToken": "token"},
    },
    "UpdateAppInstance": lambda w: w.instance | {"Name": "renamed", "Metadata": "m"},
    "UpdateAppInstanceBot": lambda w: {"AppInstanceBotArn": w.bot(), "Name": "renamed", "Metadata": "m"},
    "UpdateAppInstanceUser": lambda w: {"AppInstanceUserArn": w.bob, "Name": "renamed", "Metadata": "m"},
    "UpdateAppInstanceUserEndpoint": lambda w: w.endpoint() | {"AllowMessages": "NONE"},
}
