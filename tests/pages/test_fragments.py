"""What a browser is sent about fragments that end while another one begins."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.ui.streamlit_internals import fragment_queue_class

ENDED, BROKEN_OFF = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY, ForwardMsg.FINISHED_EARLY_FOR_RERUN


def queue_with_end(status: ForwardMsg.ScriptFinishedStatus) -> Any:
    """A queue in which the end of the fragment `explorer` was not sent yet."""
    end = ForwardMsg(script_finished=status)
    end.metadata.run.fragment_ids.append("explorer")
    queue = fragment_queue_class()()
    queue.enqueue(end)
    return queue


@pytest.mark.parametrize(
    ("status", "begins", "sent"),
    [
        (ENDED, ["badge"], ENDED),
        (ENDED, ["explorer"], BROKEN_OFF),  # what it drew is dropped from the queue
        (ENDED, None, BROKEN_OFF),  # all of the page begins again
        (BROKEN_OFF, ["badge"], BROKEN_OFF),
        (ForwardMsg.FINISHED_SUCCESSFULLY, ["badge"], ForwardMsg.FINISHED_SUCCESSFULLY),
    ],
)
def test_a_fragment_that_has_ended_is_not_reported_as_broken_off_by_another_one(
    status: ForwardMsg.ScriptFinishedStatus, begins: list[str] | None, sent: ForwardMsg.ScriptFinishedStatus
) -> None:
    queue = queue_with_end(status)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=begins)
    assert [message.script_finished for message in queue.flush()] == [sent]
