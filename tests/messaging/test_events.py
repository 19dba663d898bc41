"""Events: one class per event type, no orphan on either side."""

from chime_messaging import events


def subclasses(kind: type[events.Event]) -> set[type[events.Event]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_concrete_channel_event_has_a_name_on_the_wire_and_every_name_a_class() -> None:
    concrete = subclasses(events.ChannelEvent) - {events.ChannelEvent, events.MessageEvent, events.UnknownEvent}
    assert {kind.__name__ for kind in concrete} == {kind.__name__ for kind in events.EVENT_TYPES.values()}
    assert len(events.EVENT_TYPES) == len(concrete)
