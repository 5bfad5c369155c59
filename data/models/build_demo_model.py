"""Rebuild the bundled demo model ``data/models/demo`` from public packages, without any captions data.

    pip install -r data/models/build/requirements.txt
    apt-get download wordnet-base && dpkg -x wordnet-base_*.deb wordnet
    python data/models/build_demo_model.py --wordnet wordnet/usr/share/wordnet

Takes about an hour on two processor cores.  With ``--text-from data/models/demo`` the text tower is taken from a
built model and only the image tower is made, in a minute and without WordNet; the result is the same to the last bit.
``data/models/demo/README.md`` says what comes out.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "build"), str(HERE.parents[1])]
from core.embedding.torchvision_schemas import declare_if_missing  # noqa: E402

declare_if_missing()

import colours  # noqa: E402
import distil  # noqa: E402
import numpy as np  # noqa: E402
import open_clip  # noqa: E402
import phrases  # noqa: E402
import tower  # noqa: E402
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from teacher import Teacher  # noqa: E402

from core.embedding import demo_tower  # noqa: E402, F401  (registers the image tower)

COUNTS = {
    "caption": 420_000,
    "query": 80_000,
    "example": 60_000,
    "gloss": 30_000,
    "word": 50_000,
    "photo": 30_000,
}
SCENE_SHARE = 0.25
MEAN_SHARE = 0.9
CONFIG = HERE / "build" / "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"


def untrained_model() -> open_clip.CustomTextCLIP:
    """The demo architecture as open_clip builds it from the configuration file."""
    config = json.loads(CONFIG.read_text(encoding="utf-8"))["model_cfg"]
    config.pop("custom_text")
    return open_clip.CustomTextCLIP(**config)


@torch.no_grad()
def write_image_tower(model: open_clip.CustomTextCLIP, classes: torch.Tensor) -> None:
    """Fill the ConSE tower: converted classifier, class vectors [1000, D], less most of their mean."""
    trunk = model.visual.trunk
    trunk.classifier.load_state_dict(tower.classifier_weights())
    trunk.mix.weight.copy_(classes.T)
    trunk.mix.bias.copy_(-MEAN_SHARE * classes.mean(0))
    weight, bias = colours.layer(lambda texts: text_vectors(model, texts))
    trunk.colour.weight.copy_(weight)
    trunk.colour.bias.copy_(bias)


def text_vectors(model: open_clip.CustomTextCLIP, texts: list[str]) -> torch.Tensor:
    """Unit vectors [N, D] of N texts by the text tower."""
    ids, ends = distil.pad(distil.tokenize(texts), np.arange(len(texts)))
    with torch.inference_mode():
        return torch.nn.functional.normalize(distil.encode(model.text, ids, ends), dim=-1)


def train_text_tower(
    model: open_clip.CustomTextCLIP, classes: torch.Tensor, teacher: Teacher, options: argparse.Namespace
) -> None:
    """Generate texts, embed them with the teacher and distil; the weights end up as exact as fp16 holds them."""
    texts = phrases.training_texts(options.wordnet, COUNTS, options.seed)
    print(f"{len(texts)} training texts", flush=True)
    targets = teacher.encode(texts)
    distil.start_as_bag_of_words(model.text, teacher)
    plan = distil.Plan(epochs=options.epochs, seed=options.seed)
    distil.train(model.text, distil.tokenize(texts), targets, distil.Matching(classes), plan)
    model.text.half().float()


def read_text_tower(model: open_clip.CustomTextCLIP, folder: Path) -> None:
    """Take all but the image tower from a built model."""
    stored = load_file(folder / WEIGHTS)
    kept = {name: value for name, value in stored.items() if not name.startswith("visual.")}
    missing, unexpected = model.load_state_dict(kept, strict=False)
    if unexpected or any(not name.startswith("visual.") for name in missing):
        raise ValueError(f"{folder} holds another architecture: {unexpected}, {missing}")


def save(model: open_clip.CustomTextCLIP, folder: Path) -> None:
    """Write the fp16 checkpoint and its configuration where ``local-dir:`` finds them."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    path = folder / WEIGHTS
    new = path.with_suffix(".new")
    save_file({k: v.contiguous() for k, v in state.items()}, new)
    new.chmod(0o644)
    new.replace(path)
    (folder / "open_clip_config.json").write_text(CONFIG.read_text(encoding="utf-8"), encoding="utf-8")


def heldout_cosine(model: open_clip.CustomTextCLIP, teacher: Teacher) -> float:
    """Mean cosine of student and teacher on sentences that the training grammar did not make."""
    lines = (HERE / "build" / "heldout.txt").read_text(encoding="utf-8").splitlines()
    return float((text_vectors(model, lines).numpy() * teacher.encode(lines)).sum(1).mean())


def main() -> None:
    """Generate texts, embed them with the teacher, distil the student, assemble and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="folder with data.noun")
    parser.add_argument("--text-from", type=Path, help="folder of a built model whose text tower to keep")
    parser.add_argument("--out", type=Path, default=HERE / "demo")
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    teacher = Teacher()
    classes = tower.class_vectors(IMAGENET_CLASSNAMES, teacher.encode, SCENE_SHARE)
    model = untrained_model()
    if options.text_from:
        read_text_tower(model, options.text_from)
    else:
        train_text_tower(model, classes, teacher, options)
    write_image_tower(model, classes)
    print(f"cosine to the teacher on held-out sentences: {heldout_cosine(model, teacher):.3f}")
    save(model, options.out)


if __name__ == "__main__":
    main()
