"""The devices of a collective's groups, in every form that XLA writes them in (its own replica_group_test.cc)."""

import pytest

from gan_jax.replica_groups import parse

ROWS, COLUMNS = [[0, 1, 2, 3], [4, 5, 6, 7]], [[0, 4], [1, 5], [2, 6], [3, 7]]
ALL = [list(range(8))]


@pytest.mark.parametrize(
    ("written", "groups"),
    [
        ("{}", ALL),
        ("{{0,1,2,3},{4,5,6,7}}", ROWS),
        ("{{0,4},{1,5},{2,6},{3,7}}", COLUMNS),
        ("[2,4]<=[8]", ROWS),
        ("[4,2]<=[2,4]T(1,0)", COLUMNS),
        ("[2,4]<=[2,2,2]T(1,0,2)", [[0, 1, 4, 5], [2, 3, 6, 7]]),
        ("mesh['a'=2,'b'=4] {'b'}", ROWS),
        ("mesh['a'=2,'b'=4] {'a'}", COLUMNS),
        ("mesh['a'=2,'b'=4,'c'=1] {'a','b'}", ALL),
        ("mesh['a'=8] {'a':(1)2}", COLUMNS),
        ("mesh['a'=8] {'a':(2)4}", ROWS),
        ("mesh['a'=8] {'a':(2)2}", [[0, 2], [1, 3], [4, 6], [5, 7]]),
        ("mesh['a'=8] {'a':(1)2,'a':(4)2}", [[0, 1, 4, 5], [2, 3, 6, 7]]),
        ("mesh['a'=2,'b'=4] {'a','b':(1)2}", [[0, 2, 4, 6], [1, 3, 5, 7]]),
        ("mesh['a'=4,'b'=2], device_ids=([2,4]T(1,0)) {'a'}", ROWS),
        ("mesh['a'=4,'b'=2], device_ids=([2,4]T(1,0)) {'b'}", COLUMNS),
        ("mesh['a'=2,'b'=4], device_ids=([8]) {'b'}", ROWS),
        ("mesh['a'=2,'b'=4], device_ids=(7,6,5,4,3,2,1,0) {'a'}", [[7, 3], [6, 2], [5, 1], [4, 0]]),
    ],
)
def test_groups(written, groups):
    attributes = f", channel_id=1, replica_groups={written}, use_global_device_ids=true, to_apply=%add"
    assert parse(attributes, 8) == groups


def test_a_permutation_has_pairs():
    assert parse(", channel_id=2, source_target_pairs={{0,8},{8,0}}", 16) == [[0, 8], [8, 0]]


def test_a_collective_that_names_no_groups_is_one_of_all():
    assert parse(", to_apply=%add", 3) == [[0, 1, 2]]
