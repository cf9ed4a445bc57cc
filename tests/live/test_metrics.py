"""What Prometheus hears of decoys."""

import json
import re
import time

import pytest

from tests.live.test_network import ENDS, WHEN, home, wait_for

__all__ = ["home"]

PORT = 19_107
FETCH = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{PORT}/metrics').read().decode())"
LINE = re.compile(r'(# (HELP|TYPE) .*|\w+(\{\w+="[^"]*"\})? [0-9.e+-]+)')


@pytest.mark.network
def test_prometheus_hears_how_decoys_are(network, home):
    process = network.start(home, *ENDS, *WHEN, "--pace", 20, "--metrics", PORT)
    wait_for(process, "door is on")
    network.observer.watch(frames=50, quiet=30)
    time.sleep(0.3)
    text = network.host.run("python3", "-c", FETCH).stdout.strip()
    assert [line for line in text.splitlines() if not LINE.fullmatch(line)] == []
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    sent = [
        float(values[f'iotflowgen_live_frames_total{{end="{end}"}}']) for end in ("near", "far")
    ]
    assert sum(sent) >= 40
    assert float(values["iotflowgen_live_lateness_seconds_count"]) == sum(sent)
    assert values['iotflowgen_live_decoys{state="on"}'] == "2"
    for name in ("supervisor", "ahead", "emitting", "answering", "leasing"):
        assert float(values[f'iotflowgen_live_memory_bytes{{process="{name}"}}']) > 1e6
    process.terminate()
    found, said = process.communicate(timeout=10)
    assert json.loads(found)["near"] >= sent[0], said
