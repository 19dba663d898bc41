import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.faults import Fault
from chime_messaging.server.store.paging import PAGE_SIZE, Key, read_token, window, write_token

keys = st.lists(st.text(max_size=100) | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3).map(tuple)


def types_of(key: Key) -> tuple[type, ...]:
    return tuple(type(part) for part in key)


@given(st.text(max_size=50), keys)
def test_a_token_gives_the_key_back(scope: str, key: Key) -> None:
    assert read_token(scope, write_token(scope, key), types_of(key)) == key


@given(st.text(max_size=2100))
def test_nothing_else_is_a_token(text: str) -> None:
    with pytest.raises(Fault) as caught:
        read_token("scope", text, (str,))
    assert caught.value.name == "BadRequestException"


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    token = write_token("scope", ("arn:aws:chime:us-east-1:1:app-instance/x", 17))
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCDwxyz0189-_").filter(lambda letter: letter != token[place]))
    changed = token[:place] + letter + token[place + 1 :]
    # The last character may carry bits that mean nothing; then the key must be what it was.
    try:
        assert read_token("scope", changed, (str, int)) == ("arn:aws:chime:us-east-1:1:app-instance/x", 17)
        assert place == len(token) - 1
    except Fault as fault:
        assert fault.name == "BadRequestException"


def test_a_token_belongs_to_its_list_and_to_keys_of_its_form() -> None:
    token = write_token("ListChannels\nPUBLIC", ("a",))
    for scope, types in [("ListChannels\nPRIVATE", (str,)), ("ListChannels\nPUBLIC", (int,))]:
        with pytest.raises(Fault):
            read_token(scope, token, types)
    with pytest.raises(Fault):
        read_token("ListChannels\nPUBLIC", token, (str, str))


def test_the_first_page_has_no_place_and_the_usual_size() -> None:
    part = window({}, "List")
    assert (part.limit, part.fetch, part.after) == (PAGE_SIZE, PAGE_SIZE + 1, None)
    assert window({"MaxResults": 3, "NextToken": ""}, "List").limit == 3
    assert window({}, "List", size=100).limit == 100


@given(st.sets(st.integers(0, 1000)), st.integers(1, 20))
def test_pages_put_together_are_the_list(numbers: set[int], size: int) -> None:
    rows, seen = sorted(numbers), list[int]()
    token: str | None = None
    while True:
        part = window({"MaxResults": size, "NextToken": token}, "List", key=(int,))
        after = part.after[0] if part.after else -1
        found = [row for row in rows if isinstance(after, int) and row > after][: part.fetch]
        page, token = part.cut(found, lambda row: (row,))
        seen += page
        if token is None:
            break
        assert len(page) == size
    assert seen == rows
