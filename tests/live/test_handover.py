"""Ports that are handed over: real servers in a decoy's namespace, and nothing else from there."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iotflowgen.wire import read_records
from tests.end_to_end.invoke import invoke
from tests.live.conftest import PIPES
from tests.live.networks import run
from tests.live.test_network import ENDS, WHEN, child, first_of, wait_for

NEEDED = ("curl", "openssl", "nsenter")
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="there is no /dev/net/tun"),
    pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason=f"{NEEDED} are not installed"),
]

DECOY = f"door-{os.getpid()}"
SPACE = f"iotflowgen-{DECOY}"
HOME = f"""
[network]
subnet = "192.168.20.0/24"
gateway = "192.168.20.1"
gateway_mac = "02:00:5e:10:00:01"

[[decoys]]
name = "{DECOY}"
model = "camera.model"
address = "192.168.20.31"
ports = ["21/tcp", "80/tcp", "443/tcp", "1883/tcp"]
"""
SERVER = """
import http.server, socketserver, ssl, sys, threading

class Greeting(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"220 (vsFTPd 3.0.3)\\r\\n")
        self.request.recv(100)

class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        print(self.client_address[0], self.path, flush=True)

web, secure = (http.server.ThreadingHTTPServer(("", port), Handler) for port in (80, 443))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("both.pem")
secure.socket = context.wrap_socket(secure.socket, server_side=True)
for server in (secure, socketserver.ThreadingTCPServer(("", 21), Greeting)):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
web.serve_forever()
"""
ATTACKER = "192.168.20.77"


@pytest.fixture
def home(models):
    path = models / "handover.toml"
    path.write_text(HOME)
    return path


@pytest.fixture
def web(tmp_path):
    """A folder to be served."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "large.bin").write_bytes(os.urandom(300_000))
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=camera",
        "-keyout", folder / "key.pem", "-out", folder / "cert.pem", check=True)  # fmt: skip
    both = (folder / "key.pem").read_text() + (folder / "cert.pem").read_text()
    (folder / "both.pem").write_text(both)
    return folder


@pytest.fixture
def attacker(network):
    where = network.namespace("attacker")
    network.plug_in(where, "bad0")
    where.run("ip", "address", "add", f"{ATTACKER}/24", "dev", "bad0")
    (link,) = json.loads(where.run("ip", "-j", "link", "show", "bad0").stdout)
    where.mac = bytes.fromhex(link["address"].replace(":", ""))
    return where


@pytest.fixture
def network(network, tmp_path):
    """Decoys run with the same mounts as the tests, which see the namespaces' names therefore."""
    live = network.live

    def without_mounts(*words):
        ip, netns, exec_, name, *command = live(*words)
        assert (ip, netns, exec_) == ("ip", "netns", "exec")
        return ["nsenter", f"--net=/run/netns/{name}", *command]

    network.live = without_mounts
    network.socket = tmp_path / "live.sock"
    return network


@pytest.fixture
def serve(web):
    """Start the server somewhere; it ends with the test."""
    started = []

    def start(*before):
        command = [*before, sys.executable, "-u", "-c", SERVER]
        started.append(process := subprocess.Popen(command, cwd=web, text=True, **PIPES))
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def leftovers(network):
    """Namespaces as killed runs leave them: this home's, another's, and one with servers in it."""
    left, theirs = (f"iotflowgen-{name}-{os.getpid()}" for name in ("gone", "theirs"))
    owners = {theirs: "/run/other.sock", left: network.socket, SPACE: ""}
    for space, owner in owners.items():
        run("ip", "netns", "add", space, check=True)
        run("ip", "-n", space, "link", "set", "lo", "alias", owner, check=True)
    yield left, theirs
    for space in owners.keys() & spaces():
        run("ip", "netns", "del", space, check=True)


def get(attacker, path, *, scheme="https"):
    """What the decoy's server says, once the decoy has an address."""
    begun = time.time()
    while attacker.run("ping", "-c", 1, "-W", 0.2, "192.168.20.31", check=False).returncode:
        assert time.time() < begun + 20
    url = f"{scheme}://192.168.20.31/{path}"
    command = attacker.command("curl", "-sk", "--max-time", 20, url)
    return subprocess.run(command, capture_output=True, check=False).stdout


def spaces():
    return {path.name for path in Path("/run/netns").iterdir()}


def test_real_servers_are_served_and_nothing_else_leaves_their_namespace(
    network, attacker, home, web, serve, leftovers, tmp_path
):
    left, theirs = leftovers
    server = serve("ip", "netns", "exec", SPACE)
    observer = network.observer
    ledger = ("--ledger", tmp_path / "fakes")
    process = network.start(home, *ENDS, *WHEN, "--pace", 10, *ledger)
    wait_for(process, f"{DECOY} is on")
    assert {left, theirs} & spaces() == {theirs}
    within = ["ip", "netns", "exec", SPACE]
    observer.watch(frames=20, quiet=30)
    # its kernel is asked to say much that the decoy does not say
    run(*within, "ping", "-c", 1, "-W", 0.2, ATTACKER)
    run(*within, "curl", "-s", "--max-time", 0.3, f"http://{ATTACKER}/")
    assert "100% packet loss" in run(*within, "ping", "-c", 1, "-W", 0.2, "192.168.20.1").stdout
    assert get(attacker, "large.bin") == (web / "large.bin").read_bytes()
    assert b"large.bin" in get(attacker, "", scheme="http")
    assert "1 received" in attacker.run("ping", "-c", 1, "192.168.20.31").stdout
    if shutil.which("nmap"):
        found = attacker.run("nmap", "-n", "-sV", "-p", "20,21", "192.168.20.31").stdout
        assert re.search(r"^20/tcp +closed", found, re.M)
        assert re.search(r"^21/tcp +open +ftp +vsftpd 3.0.3", found, re.M)
    for port in (1883, 444, 23):
        refused = attacker.run("curl", "-s", f"http://192.168.20.31:{port}/", check=False)
        assert refused.returncode == 7, f"{port} is not closed"
    observer.watch(frames=150, quiet=30)
    # all that has come by now, the answers above among it
    seen = [*observer.watch(quiet=0.01)]
    # others may not take it away, and servers go on while decoys come back
    others = run(*network.live(home, *ENDS, "--socket", home.with_name("other.sock")))
    assert others.returncode == 1
    assert "other decoys use it" in others.stderr
    os.kill(child(process, "handover.process"), signal.SIGKILL)
    wait_for(process, f"{DECOY} is on")
    assert get(attacker, "large.bin")
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert server.poll() is None
    server.kill()
    heard, _ = server.communicate()
    # the device's composed visitors are not real, and are not heard
    assert {line.split()[0] for line in heard.splitlines()} == {ATTACKER}
    rest = [frame for frame in seen if attacker.mac not in (frame[:6], frame[6:12])]
    rest = rest[first_of(rest) :]
    file = tmp_path / "x.pcap"
    invoke("live", home, "--dry-run", *WHEN, "--duration", "20m", "-o", file)
    assert len(rest) > 100, said
    assert rest == read_records(file).frames.tolist()[: len(rest)]
    answers = [frame for frame in seen if frame[:6] == attacker.mac]
    assert {frame[12:14] for frame in answers} == {b"\x08\x00", b"\x08\x06"}
    # the device's first answer, but for its timestamps
    (accept,) = {
        (frame[48:50], frame[54:62], frame[70:])
        for frame in answers
        if frame[23] == 6 and frame[34:36] == (443).to_bytes(2) and frame[47] == 0x12
    }
    assert accept == ((65160).to_bytes(2), bytes.fromhex("020405b40402080a"), b"\1\3\3\x0a")
    # no real conversation is called fake
    fakes = "".join(path.read_text() for path in (tmp_path / "fakes").glob("*"))
    assert "192.168.20.31" in fakes
    assert ATTACKER not in fakes
    assert SPACE not in spaces()


def test_without_root_and_with_headers_of_another_stack(network, attacker, home, models, serve):
    home.write_text(HOME.replace("camera", "plug"))
    # the third is for user 0, whom others do not have to be in a namespace of users
    kept = "+net_raw,+net_admin,+setfcap"
    rights = ["--inh-caps", kept, "--bounding-set", f"-all,{kept}"]
    ip, net, *live = network.live(home, *ENDS)
    process = subprocess.Popen([ip, net, "setpriv", *rights, *live], text=True, **PIPES)
    try:
        said = wait_for(process, f"{DECOY} is on")
        assert SPACE not in spaces()
        serve("nsenter", "-n", "-t", str(child(process, "handover.process")))
        observer = network.observer
        assert get(attacker, "large.bin"), said
        run(*network.live("pause", DECOY), check=True)
        silent = attacker.run("curl", "--max-time", 0.5, "http://192.168.20.31/", check=False)
        assert silent.returncode == 28
    finally:
        process.terminate()
        process.communicate(timeout=10)
    accepts = [
        frame
        for frame in observer.watch()
        if frame[:6] == attacker.mac and frame[23] == 6 and frame[47] == 0x12
    ]
    # time to live, don't-fragment, window, and the size of segments as the only option
    (said,) = {(frame[22], frame[20], frame[48:50], frame[54:]) for frame in accepts}
    assert said == (128, 0x40, (2920).to_bytes(2), bytes.fromhex("020405b4"))
