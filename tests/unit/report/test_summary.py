from iotflowgen.evaluation import Results
from iotflowgen.report.findings import Findings
from iotflowgen.report.summary import summarise
from tests.unit.report.small_results import (
    HELD_OUT,
    benchmark_results,
    cell,
    evaluate_results,
    sample,
)


def said(results):
    return " ".join(summarise(Findings(results)))


def held_out(**excesses):
    """Results of one device: the excess of each generator in each split."""
    cells = [
        cell("plug", HELD_OUT, name, "boosting", [0.5 + excess for excess in splits])
        for name, splits in excesses.items()
    ]
    return Results(made_with={}, cells=cells)


def test_the_least_excess_is_named_first_and_the_others_after_it():
    words = said(held_out(markov=[0.1, 0.12], iotflow=[0.03, 0.05], doppelganger=[0.3, 0.3]))
    assert "iotflow is the hardest to tell from real traffic: its excess is +4.0 points" in words
    assert "markov has +11.0 and doppelganger has +30.0" in words
    assert "too close" not in words


def test_what_splits_do_not_tell_apart_is_not_told_apart():
    words = said(held_out(markov=[0.03, 0.12], iotflow=[0.02, 0.05]))
    assert "iotflow and markov are too close to call" in words


def test_a_copy_is_not_praised():
    words = said(benchmark_results())
    assert "replay is the hardest to tell" in words
    assert "But replay copies; iotflow is the hardest to tell that does not." in words
    assert "20.0% stand in the captures learnt from" in words
    assert "90.0% of those of replay do" in words


def test_where_all_copy_the_best_of_them_is_described():
    results = held_out(replay=[0.0, 0.01], markov=[0.1, 0.1]).model_copy(
        update={"samples": [sample("plug", HELD_OUT, g, copied=0.8) for g in ("replay", "markov")]}
    )
    words = said(results)
    assert "But" not in words
    assert "80.0% of those of replay and 80.0% of those of markov do" in words


def test_the_worst_devices_are_named():
    excesses = {"lamp": 0.02, "cam": 0.31, "plug": 0.09, "hub": 0.2, "lock": 0.03}
    cells = [
        cell(device, HELD_OUT, "iotflow", "boosting", [0.5 + excess] * 2)
        for device, excess in excesses.items()
    ]
    words = said(Results(made_with={}, cells=cells))
    assert "On 2 of 5 devices no adversary has an excess over 5 points" in words
    assert "It is worst on cam (+31.0), hub (+20.0) and plug (+9.0)." in words


def test_the_papers_means_stand_beside_ours_under_its_protocol():
    words = said(benchmark_results())
    assert (
        "the accuracy of packet-metadata is 75.0% against iotflow and 50.0% against replay" in words
    )
    assert "For these 2 devices the paper reports 62.0% against its own generator (IoTG)" in words


def test_one_file_is_given_its_interval():
    words = said(evaluate_results())
    assert "75.0% against honeydata.pcap (95% interval 70.0% to 80.0%)" in words
    assert "genuine windows it is 50.0%" in words
