"""Random histories of one channel, compared with a model of what each user may see."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chime_messaging.server.faults import Fault
from chime_messaging.server.messaging import flow_runs
from chime_messaging.server.notices import Deliver, Invoke
from tests.messaging.server.messaging.chat import Chat, draft

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:moderate"
NAMES = ("Admin", "Ada", "Bob", "Eve")
who = st.sampled_from(NAMES)
contents = st.text(min_size=1, max_size=8)
pick = st.integers(min_value=0)


@dataclass
class Known:
    """What the model holds of a stored message."""

    id: str
    sender: str
    target: str | None
    content: str | None
    pending: str | None = None
    edit: tuple[str, str] | None = None

    def is_seen_by(self, name: str) -> bool:
        if name == self.sender:
            return True
        return self.pending is None and self.target in (None, name)


class Messages(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.chat = Chat()
        self.chat.__enter__()
        self.arns = {name: self.chat.user(name, admin=name == "Admin") for name in NAMES}
        self.channel = self.chat.channel(*self.arns.values())
        lambda_ = {"Lambda": {"ResourceArn": LAMBDA, "InvocationType": "ASYNC"}}
        processor = {"Name": "p", "Configuration": lambda_, "ExecutionOrder": 1, "FallbackAction": "CONTINUE"}
        params = {"AppInstanceArn": self.chat.instance, "Name": "f", "Processors": [processor]}
        self.flow = self.chat.call("CreateChannelFlow", **params)["ChannelFlowArn"]
        self.flowing = False
        self.known: list[Known] = []
        self.orphans: list[tuple[str, str]] = []
        """Message and callback of edits whose message was redacted or deleted meanwhile."""
        self.chat.notices.clear()

    def teardown(self) -> None:
        self.chat.__exit__(None, None, None)

    def callback(self) -> str | None:
        """Take the id of the invocation that the last call asked for, if it did."""
        found = [notice.callback_id for notice in self.chat.notices if isinstance(notice, Invoke)]
        self.chat.notices.clear()
        return found[0] if found else None

    def attempt(self, name: str, bearer: str, message: Known, **params: str) -> str | None:
        """Make a call about a message; the name of the error, if any."""
        self.chat.notices.clear()
        of_message = {"ChannelArn": self.channel, "MessageId": message.id}
        try:
            self.chat.call(name, self.arns[bearer], **of_message, **params)
        except Fault as fault:
            return fault.name
        return None

    @rule()
    def switch_the_flow(self) -> None:
        name = "DisassociateChannelFlow" if self.flowing else "AssociateChannelFlow"
        self.chat.call(name, self.arns["Admin"], ChannelArn=self.channel, ChannelFlowArn=self.flow)
        self.flowing = not self.flowing

    @rule(sender=who, content=contents, to=st.none() | who, persistent=st.booleans())
    def send(self, sender: str, content: str, to: str | None, persistent: bool) -> None:
        params = draft(self.channel, content)
        if to is not None:
            params["Target"] = [{"MemberArn": self.arns[to]}]
        if not persistent:
            params["Persistence"] = "NON_PERSISTENT"
        answer = self.chat.call("SendChannelMessage", self.arns[sender], **params)
        callback = self.callback()
        assert (answer["Status"]["Value"] == "PENDING") == (callback is not None) == self.flowing
        if persistent:
            self.known.append(Known(answer["MessageId"], sender, to, content, callback))

    @precondition(lambda self: self.known)
    @rule(bearer=who, index=pick, content=contents)
    def update(self, bearer: str, index: int, content: str) -> None:
        message = self.known[index % len(self.known)]
        error = self.attempt("UpdateChannelMessage", bearer, message, Content=content)
        if bearer != message.sender:
            assert error == "ForbiddenException"
        elif message.pending or message.edit or message.content is None:
            assert error == "ConflictException"
        else:
            assert error is None
            if self.flowing:
                callback = self.callback()
                assert callback is not None
                message.edit = (callback, content)
            else:
                message.content = content

    @precondition(lambda self: self.known)
    @rule(bearer=who, index=pick)
    def redact(self, bearer: str, index: int) -> None:
        message = self.known[index % len(self.known)]
        error = self.attempt("RedactChannelMessage", bearer, message)
        if bearer not in (message.sender, "Admin"):
            assert error == "ForbiddenException"
        elif message.pending:
            assert error == ("ConflictException" if bearer == message.sender else "ForbiddenException")
        else:
            assert error is None
            self.abandon(message)
            message.content = message.edit = None

    @precondition(lambda self: self.known)
    @rule(bearer=who, index=pick)
    def delete(self, bearer: str, index: int) -> None:
        message = self.known[index % len(self.known)]
        error = self.attempt("DeleteChannelMessage", bearer, message)
        assert error == (None if bearer == "Admin" and not message.pending else "ForbiddenException")
        if error is None:
            self.abandon(message)
            self.known.remove(message)

    def abandon(self, message: Known) -> None:
        if message.edit is not None:
            self.orphans.append((message.id, message.edit[0]))

    @precondition(lambda self: self.orphans)
    @rule(deny=st.booleans())
    def decide_in_vain(self, deny: bool) -> None:
        message, callback = self.orphans.pop()
        params = {"ChannelArn": self.channel, "CallbackId": callback, "ChannelMessage": {"MessageId": message}}
        self.chat.notices.clear()
        self.chat.call("ChannelFlowCallback", **params, DeleteResource=deny)
        assert self.chat.notices == []

    @precondition(lambda self: any(message.pending or message.edit for message in self.known))
    @rule(index=pick, verdict=st.sampled_from(["pass", "deny", "fail"]))
    def decide(self, index: int, verdict: str) -> None:
        waiting = [message for message in self.known if message.pending or message.edit]
        message = waiting[index % len(waiting)]
        callback = message.pending or (message.edit[0] if message.edit else "")
        if verdict == "fail":
            self.chat.work(lambda tx: flow_runs.fail(tx, callback, "failed"))
        else:
            edited = {"MessageId": message.id}
            params = {"ChannelArn": self.channel, "CallbackId": callback, "ChannelMessage": edited}
            self.chat.call("ChannelFlowCallback", **params, DeleteResource=verdict == "deny")
        if message.pending and verdict == "deny":
            self.known.remove(message)
        elif message.edit and verdict != "deny":
            message.content = message.edit[1]
        message.pending = message.edit = None

    @invariant()
    def everybody_lists_what_is_theirs_to_see(self) -> None:
        for name, arn in self.arns.items():
            expected = [(message.id, message.content) for message in self.known if message.is_seen_by(name)]
            page = self.chat.call("ListChannelMessages", arn, ChannelArn=self.channel, SortOrder="ASCENDING")
            assert [(listed["MessageId"], listed["Content"]) for listed in page["ChannelMessages"]] == expected[:50]

    @invariant()
    def nobody_hears_of_others_targeted_messages(self) -> None:
        targeted = {message.id: message for message in self.known if message.target is not None}
        for notice in self.chat.notices:
            if isinstance(notice, Deliver) and notice.group is not None:
                assert not any(identifier.encode() in notice.frame for identifier in targeted)


TestMessages = Messages.TestCase
TestMessages.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
