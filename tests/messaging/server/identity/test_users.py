from dataclasses import replace
from typing import Any

import pytest

from chime_messaging.server.identity import users
from chime_messaging.server.notices import Disconnect
from chime_messaging.server.store.users import user_exists

DAY = 24 * 3600 * 1000
EXPIRY = {"ExpirationDays": 3, "ExpirationCriterion": "CREATED_TIMESTAMP"}


def test_a_user_is_described_as_it_was_created(identity: Any) -> None:
    owner = identity.app_instance()
    arn = identity(
        "CreateAppInstanceUser",
        AppInstanceArn=owner,
        AppInstanceUserId="ann@example.com",
        Name="Ann 🚀",
        Metadata="m",
        Tags=[{"Key": "k", "Value": "v"}],
        ExpirationSettings=EXPIRY,
    )["AppInstanceUserArn"]
    assert arn == f"{owner}/user/ann@example.com"
    found = identity("DescribeAppInstanceUser", AppInstanceUserArn=arn)["AppInstanceUser"]
    assert found.pop("CreatedTimestamp") == found.pop("LastUpdatedTimestamp")
    assert found == {"AppInstanceUserArn": arn, "Name": "Ann 🚀", "Metadata": "m", "ExpirationSettings": EXPIRY}
    assert identity("ListTagsForResource", ResourceARN=arn) == {"Tags": [{"Key": "k", "Value": "v"}]}


def test_a_user_id_is_taken_once_in_an_app_instance(identity: Any) -> None:
    owner, other = identity.app_instance(), identity.app_instance()
    identity.user(owner, "ann")
    again = {"AppInstanceUserId": "ann", "Name": "Ann"}
    assert identity.refusal("CreateAppInstanceUser", AppInstanceArn=owner, **again) == "ConflictException"
    assert identity.user(other, "ann") == f"{other}/user/ann"


@pytest.mark.parametrize("user_id", ["", "-ann", "ann-", "a/b", "a b", "x" * 65, "änn", "ann\n"])
def test_a_user_id_of_another_form_is_refused(identity: Any, user_id: str) -> None:
    owner = identity.app_instance()
    params = {"AppInstanceArn": owner, "AppInstanceUserId": user_id, "Name": "Ann"}
    assert identity.refusal("CreateAppInstanceUser", **params) == "BadRequestException"


@pytest.mark.parametrize("name", [" ", "\t\n", "x" * 101])
def test_a_blank_or_long_name_is_refused(identity: Any, name: str) -> None:
    owner = identity.app_instance()
    params = {"AppInstanceArn": owner, "AppInstanceUserId": "ann", "Name": name}
    assert identity.refusal("CreateAppInstanceUser", **params) == "BadRequestException"
    ann = identity.user(owner, "ann")
    update = {"AppInstanceUserArn": ann, "Name": name, "Metadata": ""}
    assert identity.refusal("UpdateAppInstanceUser", **update) == "BadRequestException"


def test_an_update_replaces_name_and_metadata(identity: Any) -> None:
    ann = identity.user(identity.app_instance(), "ann")
    identity.now += 1000
    identity("UpdateAppInstanceUser", AppInstanceUserArn=ann, Name="Anna", Metadata="m")
    found = identity("DescribeAppInstanceUser", AppInstanceUserArn=ann)["AppInstanceUser"]
    assert (found["Name"], found["Metadata"]) == ("Anna", "m")
    assert found["LastUpdatedTimestamp"] == found["CreatedTimestamp"] + 999


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DescribeAppInstanceUser", {}),
        ("UpdateAppInstanceUser", {"Name": "n", "Metadata": ""}),
        ("DeleteAppInstanceUser", {}),
        ("PutAppInstanceUserExpirationSettings", {}),
        ("ListAppInstanceUserEndpoints", {}),
        ("DescribeAppInstanceUserEndpoint", {"EndpointId": "e"}),
        ("DeregisterAppInstanceUserEndpoint", {"EndpointId": "e"}),
    ],
)
def test_a_missing_user_looks_forbidden_and_a_bot_is_no_user(
    identity: Any, operation: str, params: dict[str, Any]
) -> None:
    owner = identity.app_instance()
    assert identity.refusal(operation, AppInstanceUserArn=f"{owner}/user/nobody", **params) == "ForbiddenException"
    bot = identity.bot(owner)
    assert identity.refusal(operation, AppInstanceUserArn=bot, **params) == "BadRequestException"


def test_users_are_listed_by_app_instance_without_bots(identity: Any) -> None:
    owner, other = identity.app_instance(), identity.app_instance()
    arns = [identity.user(owner, f"u{i:02}") for i in range(5)]
    identity.user(other, "stranger")
    identity.bot(owner)
    rows = identity.everything("ListAppInstanceUsers", "AppInstanceUsers", AppInstanceArn=owner, MaxResults=2)
    assert [row["AppInstanceUserArn"] for row in rows] == arns
    assert set(rows[0]) == {"AppInstanceUserArn", "Name", "Metadata"}


def test_a_token_of_another_list_is_refused(identity: Any) -> None:
    owner, other = identity.app_instance(), identity.app_instance()
    for i in range(3):
        identity.user(owner, f"u{i}")
    token = identity("ListAppInstanceUsers", AppInstanceArn=owner, MaxResults=1)["NextToken"]
    assert identity("ListAppInstanceUsers", AppInstanceArn=owner, NextToken=token)["AppInstanceUsers"]
    params = {"AppInstanceArn": other, "NextToken": token}
    assert identity.refusal("ListAppInstanceUsers", **params) == "BadRequestException"
    assert identity.refusal("ListAppInstanceBots", AppInstanceArn=owner, NextToken=token) == "BadRequestException"


def test_deleting_a_user_ends_roles_endpoints_tags_and_sockets(identity: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = identity.app_instance()
    ann, ben = identity.user(owner, "ann"), identity.user(owner, "ben")
    identity("CreateAppInstanceAdmin", AppInstanceArn=owner, AppInstanceAdminArn=ann)
    identity("TagResource", ResourceARN=ann, Tags=[{"Key": "k", "Value": "v"}])
    seen: list[tuple[str, bool]] = []
    monkeypatch.setattr(users, "USER_HOOKS", [lambda tx, arn: seen.append((arn, user_exists(tx, arn)))])
    identity("DeleteAppInstanceUser", AppInstanceUserArn=ann)
    assert seen == [(ann, True)]
    assert [(n.user_arn, n.code) for n in identity.notices if isinstance(n, Disconnect)] == [(ann, 4003)]
    assert identity("ListAppInstanceAdmins", AppInstanceArn=owner)["AppInstanceAdmins"] == []
    assert identity.user(owner, "ann") == ann
    assert identity("ListTagsForResource", ResourceARN=ann) == {"Tags": []}
    assert identity("DescribeAppInstanceUser", AppInstanceUserArn=ben)


def test_expiration_settings_are_put_shown_and_cleared(identity: Any) -> None:
    ann = identity.user(identity.app_instance(), "ann")
    put = identity("PutAppInstanceUserExpirationSettings", AppInstanceUserArn=ann, ExpirationSettings=EXPIRY)
    assert put == {"AppInstanceUserArn": ann, "ExpirationSettings": EXPIRY}
    cleared = identity("PutAppInstanceUserExpirationSettings", AppInstanceUserArn=ann)
    assert cleared == {"AppInstanceUserArn": ann, "ExpirationSettings": None}
    found = identity("DescribeAppInstanceUser", AppInstanceUserArn=ann)["AppInstanceUser"]
    assert found["ExpirationSettings"] is None


def test_the_user_quota_is_counted_per_app_instance(identity: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chime_messaging.server.identity.users.USER_LIMIT", 2)
    owner, other = identity.app_instance(), identity.app_instance()
    identity.user(owner, "a")
    identity.user(owner, "b")
    identity.bot(owner)
    params = {"AppInstanceUserId": "c", "Name": "c"}
    refusal = identity.refusal("CreateAppInstanceUser", AppInstanceArn=owner, **params)
    assert refusal == "ResourceLimitExceededException"
    identity.user(other, "c")
    identity.configuration = replace(identity.configuration, quotas=False)
    identity.user(owner, "c")
