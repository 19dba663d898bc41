from typing import Any

import pytest

from chime_messaging.ids import parse_arn
from chime_messaging.server.identity import app_instances
from chime_messaging.server.notices import Disconnect

DAY = 24 * 3600 * 1000
NOWHERE = "arn:aws:chime:us-east-1:123456789012:app-instance/00000000-0000-0000-0000-000000000000"


def test_an_app_instance_is_described_as_it_was_created(identity: Any) -> None:
    arn = identity("CreateAppInstance", Name="shop", Metadata="{}", Tags=[{"Key": "k", "Value": "v"}])["AppInstanceArn"]
    assert parse_arn(arn).kind == "app-instance"
    found = identity("DescribeAppInstance", AppInstanceArn=arn)["AppInstance"]
    assert found == {
        "AppInstanceArn": arn,
        "Name": "shop",
        "Metadata": "{}",
        "CreatedTimestamp": identity.now,
        "LastUpdatedTimestamp": identity.now,
    }
    assert identity("ListTagsForResource", ResourceARN=arn) == {"Tags": [{"Key": "k", "Value": "v"}]}


def test_two_app_instances_may_have_one_name(identity: Any) -> None:
    assert identity.app_instance("same") != identity.app_instance("same")


def test_an_update_replaces_name_and_metadata_and_stamps_the_time(identity: Any) -> None:
    arn = identity.app_instance()
    created = identity.now
    identity.now += 5000
    assert identity("UpdateAppInstance", AppInstanceArn=arn, Name="new", Metadata="m") == {"AppInstanceArn": arn}
    found = identity("DescribeAppInstance", AppInstanceArn=arn)["AppInstance"]
    assert (found["Name"], found["Metadata"]) == ("new", "m")
    assert (found["CreatedTimestamp"], found["LastUpdatedTimestamp"]) == (created, created + 5000)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DescribeAppInstance", {}),
        ("UpdateAppInstance", {"Name": "n", "Metadata": ""}),
        ("DeleteAppInstance", {}),
        ("GetAppInstanceRetentionSettings", {}),
        ("PutAppInstanceRetentionSettings", {"AppInstanceRetentionSettings": {}}),
        ("CreateAppInstanceUser", {"AppInstanceUserId": "ann", "Name": "Ann"}),
        ("ListAppInstanceUsers", {}),
        ("ListAppInstanceBots", {}),
        ("ListAppInstanceAdmins", {}),
    ],
)
def test_what_is_missing_looks_forbidden_and_what_is_no_app_instance_is_a_bad_request(
    identity: Any, operation: str, params: dict[str, Any]
) -> None:
    assert identity.refusal(operation, AppInstanceArn=NOWHERE, **params) == "ForbiddenException"
    assert identity.refusal(operation, AppInstanceArn=f"{NOWHERE}/user/u", **params) == "BadRequestException"
    assert identity.refusal(operation, AppInstanceArn="nonsense", **params) == "BadRequestException"


def test_a_list_of_app_instances_comes_in_pages_that_neither_repeat_nor_skip(identity: Any) -> None:
    arns = {identity.app_instance(f"app{i}") for i in range(7)}
    first = identity("ListAppInstances", MaxResults=3)
    assert len(first["AppInstances"]) == 3
    gone = first["AppInstances"][2]["AppInstanceArn"]
    identity("DeleteAppInstance", AppInstanceArn=gone)
    rest = identity.everything("ListAppInstances", "AppInstances", MaxResults=3)
    second = identity("ListAppInstances", MaxResults=50, NextToken=first["NextToken"])
    assert second["NextToken"] is None
    seen = [row["AppInstanceArn"] for row in first["AppInstances"] + second["AppInstances"]]
    assert sorted(seen) == sorted(arns)
    assert {row["AppInstanceArn"] for row in rest} == arns - {gone}


def test_a_page_without_max_results_has_fifty_rows(identity: Any) -> None:
    for i in range(51):
        identity.app_instance(f"app{i}")
    page = identity("ListAppInstances")
    assert len(page["AppInstances"]) == 50
    assert page["NextToken"]


def test_a_token_that_no_list_gave_out_is_a_bad_request(identity: Any) -> None:
    assert identity.refusal("ListAppInstances", NextToken="eyJhIjoxfQ") == "BadRequestException"


def test_deleting_an_app_instance_takes_everything_with_it_and_closes_sockets(
    identity: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(app_instances, "APP_INSTANCE_HOOKS", [lambda tx, arn: told.append(arn)])
    arn, other = identity.app_instance(), identity.app_instance("other")
    ann, ben = identity.user(arn, "ann"), identity.user(other, "ben")
    bot = identity.bot(arn)
    identity("CreateAppInstanceAdmin", AppInstanceArn=arn, AppInstanceAdminArn=ann)
    identity("TagResource", ResourceARN=ann, Tags=[{"Key": "k", "Value": "v"}])
    identity("TagResource", ResourceARN=ben, Tags=[{"Key": "k", "Value": "v"}])
    assert identity("DeleteAppInstance", AppInstanceArn=arn) == {}
    assert told == [arn]
    assert {notice.user_arn for notice in identity.notices if isinstance(notice, Disconnect)} == {ann, bot}
    assert identity.refusal("DescribeAppInstance", AppInstanceArn=arn) == "ForbiddenException"
    assert identity.refusal("DescribeAppInstanceUser", AppInstanceUserArn=ann) == "ForbiddenException"
    assert identity.refusal("DescribeAppInstanceBot", AppInstanceBotArn=bot) == "NotFoundException"
    left = identity.run(
        lambda tx: [
            tx.connection.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE {column} LIKE ?", (f"{arn}%",)).scalar()
            for table, column in (("tags", "resource_arn"), ("admins", "arn"), ("users", "arn"))
        ]
    )
    assert left == [0, 0, 0]
    assert identity("DescribeAppInstanceUser", AppInstanceUserArn=ben)["AppInstanceUser"]["Name"] == "ben"
    assert identity("ListTagsForResource", ResourceARN=ben)["Tags"]


def test_the_hundred_and_first_app_instance_is_one_too_many(identity: Any) -> None:
    for i in range(100):
        identity.app_instance(f"app{i}")
    assert identity.refusal("CreateAppInstance", Name="more") == "ResourceLimitExceededException"


def test_retention_begins_to_delete_thirty_days_later(identity: Any) -> None:
    arn = identity.app_instance()
    nothing: dict[str, Any] = {"AppInstanceRetentionSettings": {}, "InitiateDeletionTimestamp": None}
    assert identity("GetAppInstanceRetentionSettings", AppInstanceArn=arn) == nothing
    settings = {"ChannelRetentionSettings": {"RetentionDays": 7}}
    put = identity("PutAppInstanceRetentionSettings", AppInstanceArn=arn, AppInstanceRetentionSettings=settings)
    assert put["AppInstanceRetentionSettings"] == settings
    assert put["InitiateDeletionTimestamp"] - identity.now in range(30 * DAY, 30 * DAY + 100)
    assert identity("GetAppInstanceRetentionSettings", AppInstanceArn=arn) == put
    off = identity("PutAppInstanceRetentionSettings", AppInstanceArn=arn, AppInstanceRetentionSettings={})
    assert off == nothing == identity("GetAppInstanceRetentionSettings", AppInstanceArn=arn)
