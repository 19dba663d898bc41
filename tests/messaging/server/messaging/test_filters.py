import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime_messaging.server.faults import Fault
from chime_messaging.server.messaging.filters import matches, parse_rule

BUT = "anything-but"


@pytest.mark.parametrize(
    ("rule", "attributes", "passes"),
    [
        ({"mention": ["Bob"]}, {"mention": ["Bob"]}, True),
        ({"mention": ["Bob"]}, {"mention": ["Ada", "Bob"]}, True),
        ({"mention": ["Bob"]}, {"mention": ["bob"]}, False),
        ({"mention": ["Bob"]}, {}, False),
        ({"mention": ["Bob", "Team"]}, {"mention": ["Team"]}, True),
        ({"type": [{BUT: ["Room"]}]}, {"type": ["Room"]}, False),
        ({"type": [{BUT: ["Room"]}]}, {"type": ["Hall"]}, True),
        ({"type": [{BUT: ["Room"]}]}, {}, True),
        ({"type": ["Hall"], "mention": ["Bob"]}, {"type": ["Hall"]}, False),
        ({"type": ["Hall"], "mention": ["Bob"]}, {"type": ["Hall"], "mention": ["Bob"]}, True),
        ({"$or": [{"mention": ["Bob"]}, {"mention": ["Team"]}]}, {"mention": ["Team"]}, True),
        ({"$or": [{"mention": ["Bob"]}, {"type": ["Hall"]}]}, {"mention": ["Team"]}, False),
        ({"type": ["Hall"], "$or": [{"mention": ["Bob"]}]}, {"mention": ["Bob"]}, False),
    ],
)
def test_a_rule_decides_by_exact_values(rule: object, attributes: dict[str, list[str]], passes: bool) -> None:
    assert matches(parse_rule(msgspec.json.encode(rule).decode()), attributes) is passes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        '"text"',
        '{"a": "b"}',
        '{"a": []}',
        '{"a": [1]}',
        '{"a": [null]}',
        '{"a": [{"prefix": "b"}]}',
        '{"a": [{"anything-but": "b"}]}',
        '{"a": [{"anything-but": []}]}',
        '{"a": [{"anything-but": [1]}]}',
        '{"a": [{"anything-but": ["b"], "exists": true}]}',
        '{"$or": []}',
        '{"$or": {}}',
        '{"$or": [{}]}',
        '{"$or": [{"$or": [{"a": ["b"]}]}]}',
        '{"$or": [' + ",".join(['{"a": ["b"]}'] * 6) + "]}",
        '{"a": [' + ",".join(['"b"'] * 20) + "]}",
        '{"a": ["' + "b" * 2048 + '"]}',
        "[" * 100_000,
        '{"a":' * 300,
    ],
    ids=lambda text: text[:40],
)
def test_a_rule_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(Fault) as caught:
        parse_rule(text)
    assert caught.value.name == "BadRequestException"


def test_complexity_is_keys_plus_values() -> None:
    assert parse_rule('{"a": [' + ",".join(['"b"'] * 19) + "]}")
    alternatives = ",".join(['{"a": ["b", {"anything-but": ["c", "d"]}]}'] * 5)
    assert parse_rule(f'{{"$or": [{alternatives}]}}')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["$or", BUT, "a", "b"]), inner),
    max_leaves=12,
)


@given(json_values, st.dictionaries(st.sampled_from(["a", "b"]), st.lists(st.text(max_size=5))))
def test_any_json_is_refused_or_can_be_applied(rule: object, attributes: dict[str, list[str]]) -> None:
    try:
        parsed = parse_rule(msgspec.json.encode(rule).decode())
    except Fault:
        return
    assert matches(parsed, attributes) in (True, False)
