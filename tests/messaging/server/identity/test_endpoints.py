from typing import Any

PINPOINT = "arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789abcdef"


def register(identity: Any, ann: str, **more: Any) -> str:
    params = {"Type": "APNS", "ResourceArn": PINPOINT, "EndpointAttributes": {"DeviceToken": "t"}, **more}
    answer = identity("RegisterAppInstanceUserEndpoint", AppInstanceUserArn=ann, **params)
    assert answer["AppInstanceUserArn"] == ann
    endpoint_id: str = answer["EndpointId"]
    return endpoint_id


def test_an_endpoint_is_shown_as_it_was_registered(identity: Any) -> None:
    ann = identity.user(identity.app_instance(), "ann")
    attributes = {"DeviceToken": "d", "VoipDeviceToken": "v"}
    endpoint_id = register(identity, ann, Name="phone", AllowMessages="NONE", EndpointAttributes=attributes)
    params = {"AppInstanceUserArn": ann, "EndpointId": endpoint_id}
    found = identity("DescribeAppInstanceUserEndpoint", **params)["AppInstanceUserEndpoint"]
    assert found.pop("CreatedTimestamp") == found.pop("LastUpdatedTimestamp")
    assert found == {
        **params,
        "Name": "phone",
        "Type": "APNS",
        "ResourceArn": PINPOINT,
        "EndpointAttributes": attributes,
        "AllowMessages": "NONE",
        "EndpointState": {"Status": "ACTIVE"},
    }


def test_an_endpoint_without_a_pinpoint_application_is_inactive(identity: Any) -> None:
    ann = identity.user(identity.app_instance(), "ann")
    register(identity, ann, ResourceArn="arn:aws:sns:us-east-1:123456789012:topic")
    (row,) = identity("ListAppInstanceUserEndpoints", AppInstanceUserArn=ann)["AppInstanceUserEndpoints"]
    assert row["EndpointState"] == {"Status": "INACTIVE", "StatusReason": "INVALID_PINPOINT_ARN"}
    assert row["AllowMessages"] == "ALL"


def test_an_update_changes_only_what_is_given(identity: Any) -> None:
    ann = identity.user(identity.app_instance(), "ann")
    params = {"AppInstanceUserArn": ann, "EndpointId": register(identity, ann, Name="phone")}
    assert identity("UpdateAppInstanceUserEndpoint", AllowMessages="NONE", **params) == params
    found = identity("DescribeAppInstanceUserEndpoint", **params)["AppInstanceUserEndpoint"]
    assert (found["Name"], found["AllowMessages"]) == ("phone", "NONE")
    identity("UpdateAppInstanceUserEndpoint", Name="tablet", **params)
    found = identity("DescribeAppInstanceUserEndpoint", **params)["AppInstanceUserEndpoint"]
    assert (found["Name"], found["AllowMessages"]) == ("tablet", "NONE")


def test_endpoints_belong_to_their_user_and_go_with_it(identity: Any) -> None:
    owner = identity.app_instance()
    ann, ben = identity.user(owner, "ann"), identity.user(owner, "ben")
    ids = sorted(register(identity, ann) for _ in range(3))
    rows = identity.everything(
        "ListAppInstanceUserEndpoints", "AppInstanceUserEndpoints", AppInstanceUserArn=ann, MaxResults=2
    )
    assert [row["EndpointId"] for row in rows] == ids
    stolen = {"AppInstanceUserArn": ben, "EndpointId": ids[0]}
    assert identity.refusal("DescribeAppInstanceUserEndpoint", **stolen) == "ForbiddenException"
    assert identity.refusal("DeregisterAppInstanceUserEndpoint", **stolen) == "ForbiddenException"
    identity("DeregisterAppInstanceUserEndpoint", AppInstanceUserArn=ann, EndpointId=ids[0])
    assert len(identity("ListAppInstanceUserEndpoints", AppInstanceUserArn=ann)["AppInstanceUserEndpoints"]) == 2
    identity("DeleteAppInstanceUser", AppInstanceUserArn=ann)
    identity.user(owner, "ann")
    assert identity("ListAppInstanceUserEndpoints", AppInstanceUserArn=ann)["AppInstanceUserEndpoints"] == []


def test_a_user_has_at_most_ten_endpoints_and_android_has_no_voip_token(identity: Any) -> None:
    ann = identity.user(identity.app_instance(), "ann")
    for _ in range(10):
        register(identity, ann)
    params = {"AppInstanceUserArn": ann, "Type": "GCM", "ResourceArn": PINPOINT}
    plain, voip = {"DeviceToken": "t"}, {"DeviceToken": "t", "VoipDeviceToken": "v"}
    refusal = identity.refusal("RegisterAppInstanceUserEndpoint", EndpointAttributes=plain, **params)
    assert refusal == "ResourceLimitExceededException"
    assert (
        identity.refusal("RegisterAppInstanceUserEndpoint", EndpointAttributes=voip, **params) == "BadRequestException"
    )
