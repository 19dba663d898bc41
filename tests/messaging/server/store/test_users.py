from typing import Any

from chime_messaging.server.store import app_instances, endpoints, tags, users
from chime_messaging.server.store.expiration import DAY


def test_identities_carry_the_name_of_now_and_none_for_the_gone(store: Any) -> None:
    def fill(tx: Any) -> None:
        for name in ("ann", "ben"):
            users.add_user(tx, name, "app", name=name.title())
        users.add_user(tx, "bot", "app", kind="bot", name=None)

    store.run(fill)
    store.run(lambda tx: users.update_user(tx, "ben", "Benjamin", None))
    assert store.run(lambda tx: users.identities_of(tx, ["ann", "ben", "bot", "gone", "ann"])) == {
        "ann": {"Arn": "ann", "Name": "Ann"},
        "ben": {"Arn": "ben", "Name": "Benjamin"},
        "bot": {"Arn": "bot", "Name": None},
        "gone": {"Arn": "gone", "Name": None},
    }
    assert store.run(lambda tx: users.identities_of(tx, [])) == {}
    assert store.run(lambda tx: users.identities_of(tx, iter(["ann"]))) == {"ann": {"Arn": "ann", "Name": "Ann"}}
    assert store.run(lambda tx: users.identity_of(tx, "gone")) == {"Arn": "gone", "Name": None}


def test_more_identities_than_one_statement_takes(store: Any) -> None:
    arns = [f"u{i:04}" for i in range(1234)]

    def fill(tx: Any) -> None:
        for arn in arns:
            users.add_user(tx, arn, "app", name=arn.upper())

    store.run(fill)
    found = store.run(lambda tx: users.identities_of(tx, arns))
    assert [found[arn]["Name"] for arn in arns] == [arn.upper() for arn in arns]


def test_users_expire_when_their_days_are_over(store: Any) -> None:
    def fill(tx: Any) -> None:
        for name, days in (("ann", 1), ("ben", 2), ("cat", None)):
            users.add_user(tx, name, "app", name=name)
            users.set_user_expiration(tx, name, days, "CREATED_TIMESTAMP" if days else None)

    store.run(fill)
    store.now += DAY - 1
    assert store.run(lambda tx: users.expired_users(tx, 10)) == []
    store.now += 1
    assert store.run(lambda tx: users.expired_users(tx, 10)) == ["ann"]
    store.now += DAY
    assert sorted(store.run(lambda tx: users.expired_users(tx, 10))) == ["ann", "ben"]
    assert len(store.run(lambda tx: users.expired_users(tx, 1))) == 1


def test_what_belongs_to_an_app_instance_ends_where_its_name_ends(store: Any) -> None:
    # "app1" begins like "app10", and must not take it along.
    def fill(tx: Any) -> None:
        for app in ("app1", "app10"):
            app_instances.add_app_instance(tx, app, app, None)
            app_instances.add_admin(tx, app, f"{app}/user/ann")
            users.add_user(tx, f"{app}/user/ann", app, name="Ann")
            tags.put_tags(tx, app, [{"Key": "k", "Value": "v"}])
            tags.put_tags(tx, f"{app}/user/ann", [{"Key": "k", "Value": "v"}])
            endpoints.add_endpoint(
                tx,
                f"{app}/user/ann",
                "e",
                name=None,
                type="GCM",
                resource_arn="r",
                device_token="t",
                voip_device_token=None,
                allow_messages="ALL",
            )

    def delete(tx: Any) -> None:
        endpoints.delete_endpoints_of(tx, "app1")
        tags.remove_tags_below(tx, "app1")
        users.delete_users_of(tx, "app1")
        app_instances.delete_app_instance(tx, "app1")

    def left(tx: Any, app: str) -> list[bool]:
        arn = f"{app}/user/ann"
        return [
            endpoints.endpoint(tx, arn, "e") is not None,
            bool(tags.tags_of(tx, app)),
            bool(tags.tags_of(tx, arn)),
            users.user_exists(tx, arn),
            users.is_admin(tx, app, arn),
            app_instances.app_instance(tx, app) is not None,
        ]

    store.run(fill)
    assert store.run(lambda tx: left(tx, "app1")) == [True] * 6
    store.run(delete)
    assert store.run(lambda tx: left(tx, "app1")) == [False] * 6
    assert store.run(lambda tx: left(tx, "app10")) == [True] * 6
