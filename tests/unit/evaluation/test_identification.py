from dataclasses import replace

import numpy as np
import pytest

from iotflowgen.evaluation import Identification, identify, trials
from iotflowgen.traffic import cut_windows, draw_window_starts
from tests.conftest import make_trace

DEVICES = {"camera": 0, "plug": 1000, "sensor": 4000}
"""By how many bytes their frames are longer; each frame is up to 400 bytes longer still."""
SISTERS = {"camera": 0, "first-plug": 1000, "second-plug": 1000}
COUSINS = {"first-plug": 0, "second-plug": 150}


def make_trials(devices, **windows):
    """A trial a device, of 60 windows or of as many as are said."""
    found = {}
    for i, (name, longer) in enumerate(devices.items()):
        rng = np.random.default_rng(i)
        captures = [make_capture(f"{name}-{j}.pcap", 100 * i + j, longer, rng) for j in range(6)]
        n = windows.get(name.replace("-", "_"), 60)
        found[name] = trials("held-out", captures, rng, window=8, windows=n)[0]
    return found


def make_capture(name, seed, longer, rng):
    trace = make_trace(name, seed, packets=120)
    # so few captures would be told apart by the ports that each happened to open
    ports = {side: np.minimum(getattr(trace, side), 32768) for side in ("src_port", "dst_port")}
    varied = rng.integers(0, 400, len(trace), dtype=np.int32)
    return replace(trace, length=trace.length + longer + varied, **ports)


def anew(trial):
    """Windows that nobody has seen: a second draw of H, as perfect imitation would be."""
    rng = np.random.default_rng(1)
    return cut_windows(trial.unseen, draw_window_starts(trial.unseen, len(trial.real), 8, rng))


def perfect(ground):
    return {device: anew(trial) for device, trial in ground.items()}


def turned(ground):
    """Every device imitates the next one."""
    devices = list(ground)
    others = dict(zip(devices, devices[1:] + devices[:1], strict=True))
    return {device: anew(ground[other]) for device, other in others.items()}


@pytest.fixture(scope="module")
def different():
    return make_trials(DEVICES)


@pytest.fixture(scope="module")
def sisters():
    return make_trials(SISTERS)


def one(ground, synthetic, **settings):
    (found,) = identify(ground, {"some": synthetic}, **{"trial": 1, "seed": 0, **settings})
    return found


def test_devices_that_differ_and_a_perfect_imitation_are_identified(different):
    found = one(different, perfect(different))
    certain = dict.fromkeys(DEVICES, 1.0)
    assert (found.generator, found.trial, found.error) == ("some", 1, None)
    assert found.accuracy == found.acceptance == found.train_on_synthetic == certain
    assert found.ratio == 1


def test_an_imitation_of_the_wrong_device_is_not_accepted(different):
    found = one(different, turned(different))
    never = dict.fromkeys(DEVICES, 0.0)
    assert found.accuracy == dict.fromkeys(DEVICES, 1.0)
    assert found.acceptance == found.train_on_synthetic == never
    assert found.ratio == 0


def test_sister_devices_are_mistaken_and_their_imitations_as_often(sisters):
    found = one(sisters, perfect(sisters))
    for figures in (found.accuracy, found.acceptance, found.train_on_synthetic):
        assert figures["camera"] == 1
        assert 0.2 < np.mean([figures["first-plug"], figures["second-plug"]]) < 0.8
    assert found.ratio == pytest.approx(1, abs=0.15)


def test_a_device_with_few_windows_is_not_drowned_by_one_with_many():
    ground = make_trials(COUSINS, first_plug=200, second_plug=40)
    accuracy = one(ground, perfect(ground)).accuracy
    assert accuracy["first-plug"] > 0.9
    # 0.5 if every window counted alike
    assert accuracy["second-plug"] > 0.6


def test_a_copy_of_what_the_classifier_knows_passes_more_often_than_new_windows(sisters):
    copied = {device: trial.control for device, trial in sisters.items()}
    found = one(sisters, copied)
    assert min(found.acceptance.values()) == 1
    assert found.ratio > 1.2
    assert found.train_on_synthetic == found.accuracy


def test_a_device_without_windows_is_left_out_and_gains_the_others_nothing(sisters):
    whole, part = perfect(sisters), perfect(sisters)
    del part["second-plug"]
    said = identify(sisters, {"whole": whole, "part": part}, trial=0, seed=0)
    both = [(found.accuracy, found.acceptance) for found in said]
    for all_devices, some_devices in zip(*both, strict=True):
        assert list(some_devices) == ["camera", "first-plug"]
        assert some_devices == {device: all_devices[device] for device in some_devices}
    # the sister stays in the choice
    assert said[1].train_on_synthetic.keys() == part.keys()
    assert said[1].train_on_synthetic["first-plug"] < 0.8
    assert said[1].error is None


def test_without_any_windows_or_other_devices_it_says_why(different):
    some, none = identify(different, {"some": perfect(different), "none": {}}, trial=0, seed=0)
    assert some.error is None
    assert none.error == "none drew no windows of any device"
    assert none.accuracy == none.acceptance == none.train_on_synthetic == {}
    assert none.ratio is None
    alone = {"camera": different["camera"]}
    assert "one device alone" in (one(alone, perfect(alone)).error or "")


def test_repeats_with_the_seed_whatever_the_order_and_whoever_else_is_measured(sisters):
    backwards = dict(reversed(sisters.items()))
    first = one(sisters, perfect(sisters))
    assert first == one(backwards, perfect(backwards))
    synthetic = {"other": turned(sisters), "some": perfect(sisters)}
    assert first == identify(sisters, synthetic, trial=1, seed=0)[1]
    assert first != one(sisters, perfect(sisters), seed=1)


def test_reads_back_from_json_and_tells_how_far_it_is(different):
    told = []
    synthetic = {"some": perfect(different), "none": {}}
    found = identify(
        different, synthetic, trial=0, seed=0, progress=lambda *step: told.append(step)
    )
    assert told == [("identify", 1, 2, "some"), ("identify", 2, 2, "none")]
    for entry in found:
        assert Identification.model_validate_json(entry.model_dump_json()) == entry
