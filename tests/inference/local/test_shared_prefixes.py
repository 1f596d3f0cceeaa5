"""Beginnings that prompts share are found, and at least one token of each prompt stays its own."""

from hypothesis import given
from hypothesis import strategies as st

from radgpt.inference.local.shared_prefixes import SHORTEST_SHARED, beginnings_of, common_length

SYSTEM = list(range(100, 120))
FIRST, SECOND = list(range(200, 280)), list(range(300, 370))


def shared(prompts: list[list[int]]) -> list[list[int]]:
    """For each prompt the lengths of its beginnings, the longest first."""
    lengths = []
    for beginning in beginnings_of(prompts):
        lengths.append([])
        while beginning is not None:
            lengths[-1].append(len(beginning.ids))
            beginning = beginning.parent
    return lengths


def test_questions_about_one_report_share_it_and_all_share_the_system_message() -> None:
    prompts = [
        [*SYSTEM, *FIRST, 1, 2],
        [*SYSTEM, *SECOND, 1],
        [*SYSTEM, *FIRST, 3],
        [*SYSTEM, *SECOND, 4, 5, 6],
        [*SYSTEM, 7, 8],
    ]
    assert shared(prompts) == [[100, 20], [90, 20], [100, 20], [90, 20], [20]]
    first, second, *_ = beginnings_of(prompts)
    assert first is not None and first.ids == SYSTEM + FIRST and first.rows_left == 2
    assert first.parent is not None and first.parent.ids == SYSTEM and first.parent.rows_left == 5
    assert second is not None and second.parent is first.parent


def test_a_report_that_begins_alike_takes_nothing_from_those_that_share_more() -> None:
    third = list(range(400, 480))
    prompts = [[*FIRST, *third, 1], [*FIRST, *third, 2], [*FIRST, *SECOND, 1], [*FIRST, *SECOND, 2]]
    assert shared(prompts) == [[160, 80], [160, 80], [150, 80], [150, 80]]


def test_equal_prompts_keep_a_token_each() -> None:
    assert shared([FIRST, FIRST, [*FIRST, 1]]) == [[len(FIRST) - 1]] * 3


def test_little_in_common_is_not_kept_apart() -> None:
    assert shared([[1, 2, 3], [1, 2, 4]]) == [[], []]
    assert shared([[*FIRST[:20], 1], [*FIRST[:20], 2]]) == [[], []]  # 20 tokens are not worth a pass
    assert shared([[*FIRST[:20], number] for number in range(5)]) == [[20]] * 5
    assert shared([FIRST]) == [[]]
    assert shared([]) == []


def test_ever_longer_prompts() -> None:
    prompts = [list(range(length)) for length in range(1, 2000)]
    assert shared(prompts)[-1][0] > 1900


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=40))
def test_common_length_is_that_of_a_loop(first: list[int], second: list[int]) -> None:
    length = 0
    while length < min(len(first), len(second)) and first[length] == second[length]:
        length += 1
    assert common_length(first, second) == length


@given(st.lists(st.tuples(st.sampled_from([[], SYSTEM, SYSTEM + FIRST, FIRST]), st.lists(st.integers(0, 2), min_size=1, max_size=30))))
def test_prompts_begin_as_it_is_said(parts: list[tuple[list[int], list[int]]]) -> None:
    prompts = [beginning + rest for beginning, rest in parts]
    rows: dict[int, int] = {}
    told = {}
    for prompt, beginning in zip(prompts, beginnings_of(prompts), strict=True):
        while beginning is not None:
            assert prompt[: len(beginning.ids)] == beginning.ids and len(beginning.ids) < len(prompt)
            assert len(beginning.ids) >= SHORTEST_SHARED + (len(beginning.parent.ids) if beginning.parent else 0)
            rows[id(beginning)] = rows.get(id(beginning), 0) + 1
            told[id(beginning)] = beginning
            beginning = beginning.parent
    assert all(told[key].rows_left == count for key, count in rows.items())
