"""Fragments that end while another one is about to begin."""

from __future__ import annotations

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue


class Queue(ForwardMsgQueue):
    """What is on its way to a browser.

    When a fragment begins before the end of another one was sent, Streamlit tells the browser that the other one was
    broken off, although all it drew is on the way. The browser then leaves there what that one did not draw again:
    buttons without use. Here a fragment that has ended has ended, unless it is the one that begins again.
    """

    def clear(self, retain_lifecycle_msgs: bool = False, fragment_ids_this_run: list[str] | None = None) -> None:
        ended = [
            message for message in self._queue
            if message.WhichOneof("type") == "script_finished"
            and message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
            and fragment_ids_this_run is not None
            and not set(message.metadata.run.fragment_ids) & set(fragment_ids_this_run)
        ]  # fmt: skip
        super().clear(retain_lifecycle_msgs, fragment_ids_this_run)
        for message in ended:
            message.script_finished = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY


def let_fragments_end() -> None:
    """Use this queue for all sessions to come."""
    from streamlit.runtime import app_session

    vars(app_session)["ForwardMsgQueue"] = Queue
