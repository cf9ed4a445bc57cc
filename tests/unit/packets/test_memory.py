import numpy as np

from iotflowgen.packets.memory import Memory


def recalled(of: Memory, *keys: int) -> list[int]:
    return of.recall("x", np.array(keys), np.full(len(keys), -1)).tolist()


def test_the_last_used_are_remembered_whatever_the_blocks_are():
    key, value = np.array([1, 2, 3, 1]), np.array([10, 20, 30, 11])
    whole, parts = Memory(most=2), Memory(most=2)
    whole.keep("x", key, value)
    for i in range(len(key)):
        parts.keep("x", key[i : i + 1], value[i : i + 1])
    assert recalled(whole, 1, 2, 3) == recalled(parts, 1, 2, 3) == [11, -1, 30]
