"""Channel flows, and the runs of messages through them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, bindparam, delete, insert, select, update

from chime_messaging.server.store.channels import on_channel_deleted
from chime_messaging.server.store.database import Transaction, metadata
from chime_messaging.server.store.statements import Statement

channel_flows = Table(
    "channel_flows",
    metadata,
    Column("arn", String, primary_key=True),
    Column("app_instance_arn", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("processors", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Index("channel_flows_by_creation", "app_instance_arn", "created", "arn"),
)

flow_runs = Table(
    "flow_runs",
    metadata,
    Column("callback_id", String, primary_key=True),
    Column("channel_arn", String, nullable=False),
    Column("message_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("processor_arn", String, nullable=False),
    Column("fallback", String, nullable=False),
    Column("edit", Text),
    Column("payload", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Index("flow_runs_by_state", "state", "created"),
    Index("flow_runs_by_channel", "channel_arn"),
)


@dataclass(frozen=True, slots=True)
class ChannelFlow:
    """One row of `channel_flows`, in the order of its columns; times in milliseconds."""

    arn: str
    app_instance_arn: str
    name: str
    processors: str
    """Processors as JSON text, in the API's shape."""
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class FlowRun:
    """One message, or one edit, on its way through a processor; in the order of the columns of `flow_runs`."""

    callback_id: str
    channel_arn: str
    message_id: str
    kind: str
    """CREATE or UPDATE."""
    state: str
    """PENDING until there is a verdict, then DONE."""
    processor_arn: str
    """ARN of the Lambda function that the processor stands in for."""
    fallback: str
    """CONTINUE or ABORT."""
    edit: str | None
    """What an update would change, as JSON text."""
    payload: str
    """What the processor is handed, as JSON text."""
    created: int


_FIND_FLOW = Statement(select(channel_flows).where(channel_flows.c.arn == bindparam("arn")))
_FLOWS = Statement(
    select(channel_flows)
    .where(channel_flows.c.app_instance_arn == bindparam("app_instance"), channel_flows.c.arn > bindparam("after"))
    .order_by(channel_flows.c.arn)
    .limit(bindparam("limit"))
)
_FIND_RUN = Statement(select(flow_runs).where(flow_runs.c.callback_id == bindparam("callback")))
_INSERT_RUN = Statement(insert(flow_runs).values({c.name: bindparam(c.name) for c in flow_runs.columns}))
_FINISH_RUN = Statement(update(flow_runs).values(state="DONE").where(flow_runs.c.callback_id == bindparam("callback")))
_PENDING_RUNS = Statement(
    select(flow_runs)
    .where(flow_runs.c.state == "PENDING", flow_runs.c.created > bindparam("after"))
    .order_by(flow_runs.c.created)
    .limit(bindparam("limit"))
)
_OVERDUE_RUNS = Statement(
    select(flow_runs)
    .where(flow_runs.c.state == "PENDING", flow_runs.c.created < bindparam("moment"))
    .order_by(flow_runs.c.created)
    .limit(bindparam("limit"))
)


def find_flow(tx: Transaction, arn: str) -> ChannelFlow | None:
    """Load one channel flow."""
    row = tx.first(_FIND_FLOW, arn=arn)
    return None if row is None else ChannelFlow(*row)


def flows_after(tx: Transaction, app_instance_arn: str, after: str, limit: int) -> list[ChannelFlow]:
    """Load one page of an app instance's flows, by ARN."""
    return [ChannelFlow(*row) for row in tx.all(_FLOWS, app_instance=app_instance_arn, after=after, limit=limit)]


def insert_flow(tx: Transaction, flow: ChannelFlow) -> None:
    """Store a new channel flow."""
    tx.connection.execute(insert(channel_flows), asdict(flow))


def update_flow(tx: Transaction, arn: str, **values: Any) -> None:
    """Change columns of a channel flow."""
    tx.connection.execute(update(channel_flows).where(channel_flows.c.arn == arn).values(**values))


def delete_flow(tx: Transaction, arn: str) -> None:
    """Erase a channel flow."""
    tx.connection.execute(delete(channel_flows).where(channel_flows.c.arn == arn))


def delete_flows_of(tx: Transaction, app_instance_arn: str) -> None:
    """Erase every channel flow of an app instance."""
    tx.connection.execute(delete(channel_flows).where(channel_flows.c.app_instance_arn == app_instance_arn))


def insert_run(tx: Transaction, run: FlowRun) -> None:
    """Store a new run."""
    tx.execute(_INSERT_RUN, **asdict(run))


def find_run(tx: Transaction, callback_id: str) -> FlowRun | None:
    """Load one run."""
    row = tx.first(_FIND_RUN, callback=callback_id)
    return None if row is None else FlowRun(*row)


def finish_run(tx: Transaction, callback_id: str) -> None:
    """Note that a run has its verdict."""
    tx.execute(_FINISH_RUN, callback=callback_id)


def pending_runs(tx: Transaction, after: int, limit: int) -> list[FlowRun]:
    """Load runs without a verdict that began after a moment, oldest first."""
    return [FlowRun(*row) for row in tx.all(_PENDING_RUNS, after=after, limit=limit)]


def overdue_runs(tx: Transaction, moment: int, limit: int) -> list[FlowRun]:
    """Load runs without a verdict that began before a moment, oldest first."""
    return [FlowRun(*row) for row in tx.all(_OVERDUE_RUNS, moment=moment, limit=limit)]


def forget_runs_before(tx: Transaction, moment: int) -> int:
    """Erase the finished runs that began before a moment; how many there were."""
    old = delete(flow_runs).where(flow_runs.c.state == "DONE", flow_runs.c.created < moment)
    return int(tx.connection.execute(old).rowcount)


@on_channel_deleted
def _delete_with_channel(tx: Transaction, channel_arn: str) -> None:
    tx.connection.execute(delete(flow_runs).where(flow_runs.c.channel_arn == channel_arn))
