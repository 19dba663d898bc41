from typing import Any

from chime_messaging.server.notices import Disconnect

LEX = {
    "LexBotAliasArn": "arn:aws:lex:us-east-1:123456789012:bot-alias/ABCDEFGHIJ/TSTALIASID",
    "LocaleId": "en_US",
    "InvokedBy": {"StandardMessages": "AUTO", "TargetedMessages": "NONE"},
    "WelcomeIntent": "Hello",
}


def test_a_bot_keeps_its_configuration(identity: Any) -> None:
    owner = identity.app_instance()
    arn = identity("CreateAppInstanceBot", AppInstanceArn=owner, Configuration={"Lex": LEX})["AppInstanceBotArn"]
    assert arn.startswith(f"{owner}/bot/")
    found = identity("DescribeAppInstanceBot", AppInstanceBotArn=arn)["AppInstanceBot"]
    assert (found["Name"], found["Metadata"], found["Configuration"]) == (None, None, {"Lex": LEX})


def test_an_update_leaves_the_configuration_unless_one_is_given(identity: Any) -> None:
    arn = identity.bot(identity.app_instance())
    before = identity("DescribeAppInstanceBot", AppInstanceBotArn=arn)["AppInstanceBot"]["Configuration"]
    identity("UpdateAppInstanceBot", AppInstanceBotArn=arn, Name="new", Metadata="m")
    found = identity("DescribeAppInstanceBot", AppInstanceBotArn=arn)["AppInstanceBot"]
    assert (found["Name"], found["Metadata"], found["Configuration"]) == ("new", "m", before)
    identity("UpdateAppInstanceBot", AppInstanceBotArn=arn, Name="new", Metadata="m", Configuration={"Lex": LEX})
    found = identity("DescribeAppInstanceBot", AppInstanceBotArn=arn)["AppInstanceBot"]
    assert found["Configuration"] == {"Lex": LEX} != before


def test_a_bot_needs_something_to_run(identity: Any) -> None:
    owner = identity.app_instance()
    params = {"AppInstanceArn": owner, "Configuration": {}}
    assert identity.refusal("CreateAppInstanceBot", **params) == "BadRequestException"


def test_a_missing_bot_is_not_found_when_described_and_forbidden_otherwise(identity: Any) -> None:
    gone = {"AppInstanceBotArn": f"{identity.app_instance()}/bot/nobody"}
    assert identity.refusal("DescribeAppInstanceBot", **gone) == "NotFoundException"
    assert identity.refusal("DeleteAppInstanceBot", **gone) == "ForbiddenException"
    assert identity.refusal("UpdateAppInstanceBot", Name="n", Metadata="", **gone) == "ForbiddenException"


def test_bots_are_listed_without_users_and_gone_once_deleted(identity: Any) -> None:
    owner = identity.app_instance()
    identity.user(owner, "ann")
    arns = sorted(identity.bot(owner) for _ in range(3))
    rows = identity.everything("ListAppInstanceBots", "AppInstanceBots", AppInstanceArn=owner, MaxResults=2)
    assert [row["AppInstanceBotArn"] for row in rows] == arns
    assert identity("DeleteAppInstanceBot", AppInstanceBotArn=arns[0]) == {}
    assert [n.user_arn for n in identity.notices if isinstance(n, Disconnect)] == [arns[0]]
    rows = identity.everything("ListAppInstanceBots", "AppInstanceBots", AppInstanceArn=owner)
    assert [row["AppInstanceBotArn"] for row in rows] == arns[1:]
