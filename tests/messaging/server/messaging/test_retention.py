from chime_messaging.server.messaging.retention import delete_old_messages
from chime_messaging.server.store.app_instances import set_retention
from chime_messaging.server.store.lifecycle import SWEEPS
from tests.messaging.server.messaging.chat import Chat

DAY = 24 * 3600 * 1000


def test_messages_older_than_the_app_instance_keeps_are_erased_in_portions(chat: Chat) -> None:
    ada = chat.user("Ada")
    channel = chat.channel(ada)
    for number in range(3):
        chat.send(ada, channel, f"old {number}")
    chat.now += 10 * DAY
    chat.send(ada, channel, "new")
    chat.work(lambda tx: set_retention(tx, chat.instance, 10, chat.now + 30 * DAY))
    chat.now += DAY
    assert chat.work(lambda tx: delete_old_messages(tx, 100)) == 0

    chat.work(lambda tx: set_retention(tx, chat.instance, 10, chat.now))
    chat.events()
    assert [chat.work(lambda tx: SWEEPS["messages"](tx, 2)) for _ in range(3)] == [2, 1, 0]
    assert chat.contents(ada, channel) == ["new"]
    assert chat.notices == []
