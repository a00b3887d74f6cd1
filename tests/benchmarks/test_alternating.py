"""Calls that take turns: each gets its own, and a slow one drops out."""

from benchmarks.alternating import LEAST, alternate


def test_calls_take_turns_after_one_off_the_clock() -> None:
    order: list[str] = []
    taken = alternate({name: lambda name=name: order.append(name) for name in "ab"}, 2, 1.0)
    assert "".join(order) == "ababab"
    assert {name: len(times) for name, times in taken.items()} == {"a": 2, "b": 2}


def test_a_slow_call_drops_out_once_it_has_had_its_least_turns() -> None:
    now = 0.0

    def slow() -> None:
        nonlocal now
        now += 10.0

    taken = alternate({"slow": slow, "fast": lambda: None}, 20, 1.0, clock=lambda: now)
    assert taken["slow"] == [10.0] * LEAST
    assert len(taken["fast"]) == 20
    taken = alternate({"slow": slow, "fast": lambda: None}, 20, 1.0, clock=lambda: now, patience=5.0)
    assert taken["slow"] == [10.0]
    assert len(taken["fast"]) == 20
