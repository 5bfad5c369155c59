from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from core.app import App
from core.cli import command_context
from core.cli import main as cli


@pytest.fixture
def run(app: App, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command against an App whose collection `c` holds red, green and blue: (exit code, output, errors)."""
    monkeypatch.setattr(command_context, "_open_app", lambda: app)
    app.ingest(pictures, "c")

    def command(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_pictures_are_removed_and_put_back(run, app: App, pictures: Path) -> None:
    first, second, _ = sorted(app.titles("c"))
    assert run("remove", first, second, "--collection", "c")[:2] == (0, "2 removed\n")
    code, out, _ = run("ingest", pictures, "--collection", "c")
    assert (code, out.splitlines()[-1]) == (
        0,
        "2 removed before are left out: python -m core put-back --collection c",
    )
    assert json.loads(run("put-back", first, "--collection", "c", "--json")[1]) == {"collection": "c", "put_back": 1}
    assert run("put-back", "--collection", "c")[1] == "1 put back\n"
    assert app.size("c") == 3


def test_removing_what_is_not_there_fails_with_one_line(run) -> None:
    code, out, err = run("remove", "f" * 64, "--collection", "c")
    assert (code, out, err) == (1, "", "error: c holds none of the pictures named (1): check the ids\n")


def test_duplicates_are_listed(run, app: App, pictures: Path) -> None:
    Image.open(pictures / "red.png").resize((20, 10)).save(pictures / "small.png")
    (pictures / "copy.jpg").write_bytes((pictures / "green.jpg").read_bytes())
    app.ingest(pictures, "c")
    assert "1 group of near-identical pictures, 1 picture in several files" in run("duplicates", "--collection", "c")[1]
    found = json.loads(run("duplicates", "--collection", "c", "--json")[1])
    titles = app.titles("c")
    assert [(titles[g["keep"]], [titles[o["id"]] for o in g["others"]]) for g in found["groups"]] == [
        ("red.png", ["small.png"])
    ]
    assert [titles[i] for i in found["copies"]] == ["green.jpg"]


def test_a_collection_is_embedded_again_and_switched(run, app: App, pictures: Path) -> None:
    (pictures / "red.png").unlink()
    code, out, err = run("reembed", "c", "--model", "other")
    assert (code, out) == (
        0,
        "c-new: 2 embedded, 0 known already, 1 left out; to use it: python -m core switch c c-new\n",
    )
    assert f"left out  {pictures / 'red.png'}: no original file any more" in err
    assert run("reembed", "c", "--model", "other", "--thumbnails")[1].startswith("c-new: 1 embedded, 2 known already")
    assert run("switch", "c", "c-new")[1] == "c now is what c-new was; the old one is c-old\n"
    listed = json.loads(run("collections", "--json")[1])["collections"]
    assert [(c["name"], c["beside"]) for c in listed] == [("c", ""), ("c-old", "c")]
