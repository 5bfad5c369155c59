"""What became of a captions table: which rows found their picture, what was not understood."""

from __future__ import annotations

from dataclasses import dataclass

from core.text import counted, one_line, quoted

# So many notes of a kind are kept; all are counted.
MAX_KEPT = 20
_MAX_NAME_LENGTH = 120


@dataclass(frozen=True)
class CaptionsNote:
    """Something in a table: the line of its row, what stands there, and more about it."""

    line: int
    text: str
    detail: str = ""


@dataclass(frozen=True)
class CaptionsNotes:
    """Notes of one kind: how many there are, and the first MAX_KEPT."""

    count: int = 0
    first: tuple[CaptionsNote, ...] = ()

    def plus(self, line: int, text: str, detail: str = "") -> CaptionsNotes:
        """These notes and one more."""
        kept = (CaptionsNote(line, one_line(text, 200), detail),) if self.count < MAX_KEPT else ()
        return CaptionsNotes(self.count + 1, self.first + kept)


@dataclass(frozen=True)
class CaptionsReport:
    """What a person should know of a table.

    `rows_not_read`: the text says why. `unmatched`: the text is the file, the detail why none is meant if several files
    could be. `other_cells`: the detail is the column. `ambiguous_dates`: the detail is the date as which it was read.
    """

    rows: int = 0
    matched: int = 0
    unmatched: CaptionsNotes = CaptionsNotes()
    rows_not_read: CaptionsNotes = CaptionsNotes()
    dates_not_understood: CaptionsNotes = CaptionsNotes()
    ambiguous_dates: CaptionsNotes = CaptionsNotes()
    other_cells: CaptionsNotes = CaptionsNotes()


def captions_lines(report: CaptionsReport) -> list[str]:
    """The report in words: `captions: 40 of 82 rows matched; first unmatched: line 3, 1998/x.jpg`, then the rest."""
    matched = f"captions: {report.matched:,} of {counted(report.rows, 'row')} matched"
    for note in report.unmatched.first[:1]:
        detail = f" ({note.detail})" if note.detail else ""
        matched += f"; first unmatched: line {note.line}, {one_line(note.text, _MAX_NAME_LENGTH) or 'no file'}{detail}"
    lines = [
        matched,
        _line("rows not read", report.rows_not_read, "{text}"),
        _line("dates not understood", report.dates_not_understood, "{quoted}"),
        _line(
            "ambiguous dates", report.ambiguous_dates, "{quoted} read as {detail}; write dates like {detail} to be sure"
        ),
        _line("other cells not understood", report.other_cells, "{detail} {quoted}"),
    ]
    return [line for line in lines if line]


def _line(what: str, notes: CaptionsNotes, form: str) -> str:
    for note in notes.first[:1]:
        words = form.format(text=note.text, quoted=quoted(note.text), detail=note.detail)
        return f"{what}: {notes.count:,}, first: line {note.line}, {words}"
    return ""
