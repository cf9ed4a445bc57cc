import numpy as np
import pytest
from pydantic import ValidationError

from iotflowgen.encoding import FIELDS, Codec, CodecConfig, ProtocolEncoder
from iotflowgen.traffic import cut_windows, draw_window_starts, protocol_mask


@pytest.fixture(scope="module")
def fitted(traces):
    places = draw_window_starts(traces, 60, 10, np.random.default_rng(0))
    return Codec.fit(traces, places, CodecConfig(), seed=0), places


def test_windows_come_back_as_they_were(fitted, traces):
    codec, places = fitted
    windows = cut_windows(traces, places)
    tokens = codec.encode(traces, places)
    classes = codec.length_classes(windows.length)
    back = codec.decode(tokens, classes, np.random.default_rng(0))
    assert np.array_equal(back.length, windows.length)
    assert np.array_equal(back.outgoing, windows.outgoing)
    assert np.array_equal(back.protocols, windows.protocols)
    assert np.array_equal(back.src_port == 443, windows.src_port == 443)
    assert np.array_equal(codec.durations.encode(windows.duration_ns), tokens[..., -1])


def test_tokens_stay_in_their_vocabulary(fitted, traces):
    codec, places = fitted
    tokens = codec.encode(traces, places)
    assert tuple(codec.sizes) == FIELDS
    assert np.all(tokens >= 0)
    assert np.all(tokens < np.array(list(codec.sizes.values())))


def test_the_true_length_is_always_allowed(fitted, traces):
    codec, places = fitted
    frames = codec.encode(traces, places)[..., 0]
    classes = codec.length_classes(cut_windows(traces, places).length)
    assert codec.allowed_classes[frames, classes].all()
    assert codec.allowed_classes.any(axis=1).all()


def test_a_length_not_seen_has_no_class(fitted):
    codec, _ = fitted
    seen = np.array(codec.lengths, dtype=np.int32)
    assert codec.length_classes(seen).tolist() == list(range(len(seen)))
    assert codec.length_classes(np.array([0, 68, 10**6], dtype=np.int32)).tolist() == [-1, -1, -1]


def test_a_configuration_not_seen_goes_to_the_one_that_differs_least():
    tls, dns = protocol_mask(["ip", "tcp", "https"]), protocol_mask(["ip", "udp", "dns"])
    encoder = ProtocolEncoder.fit(np.array([[tls, dns]], dtype=np.uint16))
    tcp = np.array([[protocol_mask(["ip", "tcp"])]], dtype=np.uint16)
    assert encoder.decode(encoder.encode(tcp)).tolist() == [[tls]]


def test_a_codec_survives_json(fitted, traces):
    codec, places = fitted
    again = Codec.model_validate_json(codec.model_dump_json())
    assert again == codec
    assert np.array_equal(again.encode(traces, places), codec.encode(traces, places))


def test_a_misspelt_setting_is_refused():
    with pytest.raises(ValidationError, match="duration_cluster"):
        CodecConfig.model_validate({"duration_cluster": 3})
