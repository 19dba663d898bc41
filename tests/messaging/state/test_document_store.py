from __future__ import annotations

from pathlib import Path

from pycrdt import Doc, Text, TransactionEvent

from chime_messaging.state.document_store import MOST_ROWS, SQLiteDocumentStore


def test_many_updates_are_put_together_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite"
    store, other = SQLiteDocumentStore(path, "notes"), SQLiteDocumentStore(path, "other")
    other.append(b"\x00\x00")
    document = Doc()  # type: ignore[var-annotated]

    def keep(event: TransactionEvent) -> None:
        store.append(event.update)

    subscription = document.observe(keep)
    text = document.get("text", type=Text)
    for number in range(MOST_ROWS + 44):
        text += f"{number} "
    document.unobserve(subscription)
    kept = SQLiteDocumentStore(path, "notes").load()
    assert len(kept) == 44
    copy = Doc()  # type: ignore[var-annotated]
    for update in kept:
        copy.apply_update(update)
    assert str(copy.get("text", type=Text)) == str(text)
    assert other.load() == [b"\x00\x00"]
    assert SQLiteDocumentStore(path, "nothing").load() == []
