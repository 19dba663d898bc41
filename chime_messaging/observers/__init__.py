"""Room: who is told? One event hub with three faces: observer objects, decorated handlers, async iteration.

May import `protocol` and what stands below it, and anyio.
"""

from chime_messaging.observers.hub import EventHub
from chime_messaging.observers.meeting_observer import MeetingSessionObserver
from chime_messaging.observers.observer import MessagingSessionObserver
from chime_messaging.observers.subscription import EventStream, Policy, Subscription, SubscriptionStatistics

__all__ = [
    "EventHub",
    "EventStream",
    "MeetingSessionObserver",
    "MessagingSessionObserver",
    "Policy",
    "Subscription",
    "SubscriptionStatistics",
]
