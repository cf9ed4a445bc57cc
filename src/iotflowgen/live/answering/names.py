"""How a decoy answers who looks for a name by LLMNR (RFC 4795) or NetBIOS (RFC 1002).

Its device's captured answers to captured questions, with the id of the question.
"""

from collections.abc import Iterable
from typing import Final

from iotflowgen.live.answering.dns import Name, same_name, understood

__all__ = ["LLMNR", "NETBIOS", "Names"]

LLMNR: Final = 5355
NETBIOS: Final = 137


class Names:
    """What one decoy says.

    Args:
        learnt: Ports, questions and answers, in hexadecimal.
    """

    def __init__(self, learnt: Iterable[tuple[int, str, str]]) -> None:
        found = ((_asked(port, bytes.fromhex(asked)), said) for port, asked, said in learnt)
        self._said = {asked: bytes.fromhex(said) for asked, said in found if asked}

    def answer(self, port: int, payload: bytes) -> bytes | None:
        """The answer to a question that came to a port, if it gets one."""
        asked = _asked(port, payload) if self._said else None
        said = self._said.get(asked) if asked else None
        return payload[:2] + said[2:] if said else None


def _asked(port: int, payload: bytes) -> tuple[int, Name, int, int] | None:
    """What is the same of questions that are; None of what is no question."""
    message = understood(payload)
    if message is None or message.is_response or len(message.questions) != 1:
        return None
    question = message.questions[0]
    return port, same_name(question.name), question.type, question.kind
