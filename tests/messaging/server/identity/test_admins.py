from typing import Any


def test_users_and_bots_become_administrators_once(identity: Any) -> None:
    owner = identity.app_instance()
    ann, bot = identity.user(owner, "ann", "Ann"), identity.bot(owner)
    made = identity("CreateAppInstanceAdmin", AppInstanceArn=owner, AppInstanceAdminArn=ann)
    assert made == {"AppInstanceAdmin": {"Arn": ann, "Name": "Ann"}, "AppInstanceArn": owner}
    identity("CreateAppInstanceAdmin", AppInstanceArn=owner, AppInstanceAdminArn=bot)
    again = {"AppInstanceArn": owner, "AppInstanceAdminArn": ann}
    assert identity.refusal("CreateAppInstanceAdmin", **again) == "ConflictException"
    rows = identity.everything("ListAppInstanceAdmins", "AppInstanceAdmins", AppInstanceArn=owner, MaxResults=1)
    assert sorted(row["Admin"]["Arn"] for row in rows) == sorted([ann, bot])


def test_an_administrator_is_described_with_the_name_it_has_now(identity: Any) -> None:
    owner = identity.app_instance()
    ann = identity.user(owner, "ann", "Ann")
    params = {"AppInstanceArn": owner, "AppInstanceAdminArn": ann}
    assert identity.refusal("DescribeAppInstanceAdmin", **params) == "ForbiddenException"
    identity("CreateAppInstanceAdmin", **params)
    identity("UpdateAppInstanceUser", AppInstanceUserArn=ann, Name="Anna", Metadata="")
    found = identity("DescribeAppInstanceAdmin", **params)["AppInstanceAdmin"]
    assert found["Admin"] == {"Arn": ann, "Name": "Anna"}
    assert found["AppInstanceArn"] == owner
    assert found["CreatedTimestamp"] >= identity.now


def test_only_an_identity_of_the_same_app_instance_may_administer_it(identity: Any) -> None:
    owner, other = identity.app_instance(), identity.app_instance()
    stranger = identity.user(other, "ann")
    for arn, error in [
        (stranger, "ForbiddenException"),
        (f"{owner}/user/nobody", "ForbiddenException"),
        (owner, "BadRequestException"),
    ]:
        params = {"AppInstanceArn": owner, "AppInstanceAdminArn": arn}
        assert identity.refusal("CreateAppInstanceAdmin", **params) == error


def test_a_demoted_administrator_stays_a_user(identity: Any) -> None:
    owner = identity.app_instance()
    params = {"AppInstanceArn": owner, "AppInstanceAdminArn": identity.user(owner, "ann")}
    assert identity.refusal("DeleteAppInstanceAdmin", **params) == "ForbiddenException"
    identity("CreateAppInstanceAdmin", **params)
    identity("DeleteAppInstanceAdmin", **params)
    assert identity.refusal("DescribeAppInstanceAdmin", **params) == "ForbiddenException"
    assert identity("DescribeAppInstanceUser", AppInstanceUserArn=params["AppInstanceAdminArn"])


def test_an_app_instance_has_at_most_a_hundred_administrators(identity: Any) -> None:
    owner = identity.app_instance()
    for i in range(100):
        arn = identity.user(owner, f"u{i}")
        identity("CreateAppInstanceAdmin", AppInstanceArn=owner, AppInstanceAdminArn=arn)
    params = {"AppInstanceArn": owner, "AppInstanceAdminArn": identity.user(owner, "more")}
    assert identity.refusal("CreateAppInstanceAdmin", **params) == "ResourceLimitExceededException"
