"""What a call leaves behind and keeps, whose memory it returns, how its input lies: found, or allowed."""

import os
import random
import subprocess
import sys

import pytest
import torch

from jdbench.aggregators import GradDrop, Mean, UPGrad
from jdbench.verification.calls import Call
from jdbench.verification.global_state import ITEMS, kept, read_state
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.search import verify
from jdbench.verification.verdicts import Outcome
from support import careless_calls as careless
from support.faulty_aggregators import Careless, EveryFiftieth

F32, F64 = torch.float32, torch.float64
NON_CONFLICTING, HYGIENE = PROPERTIES["non-conflicting"], PROPERTIES["hygiene"]
J = torch.tensor([[1.0, 2.0, -1.0], [0.0, -1.0, 3.0]], dtype=F64)


def judged(aggregator, dtype=F64):
    return verify(aggregator, HYGIENE, dtype=dtype, examples=20, seed=0, shrink=False)


def assert_found(aggregator, message, outcome=Outcome.REFUTED):
    verdict = judged(aggregator)
    assert verdict.outcome is outcome, verdict
    assert message in verdict.message


def unchanged_since(before):
    return [
        item.name for item, old, new in zip(ITEMS, before, read_state(), strict=True) if not item.same(old, new)
    ] == []


# ---- What is left changed.


@pytest.mark.parametrize("name", careless.LEFT_CHANGED)
def test_what_a_call_leaves_changed_is_named_and_put_back(name):
    before = read_state()
    assert_found(careless.after(careless.LEFT_CHANGED[name]), f"leaves changed: {name}")
    assert unchanged_since(before)


def test_inference_mode_that_is_never_left_is_found_and_put_back():
    before = read_state()
    assert_found(careless.InInferenceMode(), "leaves changed: inference mode from False to True")
    assert unchanged_since(before)
    assert torch.ones(2, requires_grad=True).sum().requires_grad


def test_every_item_has_a_fault_that_shows_it():
    planted = {
        *careless.LEFT_CHANGED,
        *careless.SEEDED,
        "inference mode",
        "the number of inter-op threads",  # torch takes it once in a process: see below
    }
    assert all(any(item.name.startswith(name) for name in planted) for item in ITEMS)
    assert len(planted) == len(ITEMS)


def test_a_number_of_interop_threads_is_seen_though_it_may_stay():
    source = (
        "import torch\n"
        "from jdbench.verification.calls import Call\n"
        "J = torch.eye(2, dtype=torch.float64)\n"
        "count = torch.get_num_interop_threads() + 1\n"
        "print(*Call(lambda J: torch.set_num_interop_threads(count) or J.mean(0)).answer(J).changes)\n"
    )
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=300)
    assert run.stdout.startswith("the number of inter-op threads from "), run.stderr


@pytest.mark.parametrize("name", careless.SEEDED)
def test_seeding_the_global_generators_is_found(name):
    assert_found(careless.after(careless.SEEDED[name]), f"seeds {name}")
    assert_found(Careless(careless.after(careless.SEEDED[name])), f"leaves changed: {name}")


@pytest.mark.parametrize("name", careless.DRAWN)
def test_only_strangers_may_draw_from_the_global_generators(name):
    draws = careless.after(careless.DRAWN[name])
    assert judged(draws).outcome is Outcome.SURVIVED
    assert_found(Careless(draws), f"leaves changed: {name}")


def test_strangers_draw_the_same_for_the_same_seed_from_python_too():
    call = Call(lambda J: random.random() * J.mean(0))
    state = random.getstate()
    first, again, other = call(J, 1), call(J, 1), call(J, 2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert random.getstate() == state


def test_the_dirt_of_one_call_does_not_reach_the_next():
    """float16 by default would change the verdict on one that makes its weights without a dtype."""
    tenths = Call(lambda J: torch.full((len(J),), 0.1).to(J) @ J)
    expected = tenths(J)
    Call(careless.after(lambda: torch.set_default_dtype(torch.float16)))(J)
    assert torch.equal(tenths(J), expected)


def test_state_is_put_back_when_a_block_raises():
    before = read_state()
    found = []

    def dirty():
        with kept() as changes:
            found.append(changes)
            for effect in [*careless.LEFT_CHANGED.values(), *careless.SEEDED.values()]:
                effect()
            raise RuntimeError

    torch.rand(())
    with pytest.raises(RuntimeError):
        dirty()
    assert len(found[0]) >= len(careless.LEFT_CHANGED)
    torch.set_rng_state(before[[item.name for item in ITEMS].index("torch's global generator")][0])
    assert unchanged_since(before)


def test_values_of_environment_variables_are_not_told(monkeypatch):
    monkeypatch.setenv("JDBENCH_KEPT", "a")
    with kept() as changes:
        os.environ["JDBENCH_SECRET"] = "s3cret"
        os.environ["JDBENCH_KEPT"] = "b"
    assert [str(change) for change in changes] == ["environment variables JDBENCH_KEPT, JDBENCH_SECRET"]
    assert os.environ["JDBENCH_KEPT"] == "a"


# ---- Whose memory.


@pytest.mark.parametrize(
    ("aggregator", "message"),
    [
        (careless.first_row_of_one, "returns memory of its input"),
        (careless.OwnBuffer(), "returns memory that its next calls overwrite"),
        (careless.zeros_in_one_place, "returns entries that share their memory"),
        (careless.requires_grad, "returns what requires grad"),
        (careless.written_and_put_back, "writes into its input, though"),
    ],
)
def test_a_result_is_its_callers_and_the_input_stays(aggregator, message):
    assert_found(aggregator, message)


@pytest.mark.parametrize(
    ("aggregator", "message"),
    [
        (careless.on_meta, "shape: returned torch.strided on meta, required torch.float64 of"),
        (careless.sparse, "shape: returned torch.sparse_coo on cpu"),
        (careless.unreadable, "shape: returned Unreadable"),
    ],
)
def test_a_result_on_another_device_or_of_another_kind_breaks(aggregator, message):
    assert_found(aggregator, message, Outcome.BROKEN)


# ---- How the input lies in memory.


@pytest.mark.parametrize(
    ("aggregator", "message"),
    [
        (careless.viewed_flat, "input: raises: RuntimeError: view size is not compatible"),
        (careless.read_as_contiguous, "gives another direction of a "),
        (careless.accumulates_gradients, "of an input that requires grad: input: left a gradient at its input"),
        (careless.doubled_with_grad, "gives another direction of an input that requires grad"),
    ],
)
def test_a_layout_that_is_not_read_right_is_found(aggregator, message):
    assert_found(aggregator, message)


def test_an_input_that_requires_grad_may_be_refused():
    assert judged(lambda J: torch.from_numpy(J.numpy().mean(0))).outcome is Outcome.SURVIVED


# ---- What is kept.


@pytest.mark.parametrize(
    "make",
    [careless.RunningMean, careless.FirstShapeOnly, careless.Tired, careless.OwnGenerator, EveryFiftieth],
)
def test_an_aggregator_that_keeps_something_is_told_so(make):
    verdict = judged(make())
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.message.startswith("keeps state: ")
    # What a new one shows: it replays.
    again = HYGIENE.check(Call(make()), verdict.witness)
    assert again.violated
    assert again.message == verdict.message


def test_every_fiftieth_call_takes_the_class_that_calls_again_and_again():
    verdict = judged(EveryFiftieth())
    assert verdict.witness.rounds is not None
    assert ", 33 times, " in verdict.message  # calls 2 to 100: three a round


def test_what_is_kept_changes_no_other_verdict():
    """UPGrad, and the mean every fiftieth time: as a function of J it is UPGrad."""
    verdict = verify(EveryFiftieth(), NON_CONFLICTING)
    assert verdict.outcome is Outcome.SURVIVED
    aggregator = careless.RunningMean()
    assert verify(aggregator, PROPERTIES["linear-under-scaling"]).outcome is Outcome.SURVIVED
    assert aggregator.sums == {}


def test_a_violation_that_does_not_come_again_is_no_refutation():
    verdict = verify(careless.mean_every_fiftieth_call(), NON_CONFLICTING, examples=600)
    assert verdict.outcome is Outcome.BROKEN
    assert verdict.shown_by == "hygiene"
    assert verdict.message.startswith("keeps state: ")
    again = HYGIENE.check(Call(careless.mean_every_fiftieth_call()), verdict.witness)
    assert again.violated


def test_what_comes_once_and_by_no_rule_is_said_to():
    chance = random.Random(1)
    verdict = verify(
        lambda J: (Mean() if chance.random() < 0.002 else UPGrad())(J), NON_CONFLICTING, examples=3000
    )
    assert verdict.outcome is Outcome.BROKEN
    assert "violated once and not again" in verdict.message or verdict.shown_by == "hygiene"


@pytest.mark.parametrize("dtype", [F64, F32], ids=str)
@pytest.mark.parametrize("aggregator", [UPGrad(), Mean(), GradDrop(), lambda J: J.mean(0)])
def test_what_does_nothing_of_this_survives(aggregator, dtype):
    assert verify(aggregator, HYGIENE, dtype=dtype, examples=60).outcome is Outcome.SURVIVED
