"""Runs logged to MLflow, where it is installed and configured; Contact Sheet does not need it."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from typing import Any

from core.logs import log
from core.quality.evaluation import scores
from core.records.evaluations import EvaluationRun

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "contact-sheet"


def log_to_mlflow(run: EvaluationRun, environ: Mapping[str, str]) -> str:
    """Log a run to MLflow if MLFLOW_TRACKING_URI is set; return how that went in one line, empty if it is not set.

    Never raises: an evaluation does not fail because a server is down.
    """
    if not environ.get(URI):
        return ""
    try:
        _log(importlib.import_module("mlflow"), run)
    except ImportError:
        return f"not logged: {URI} is set, but mlflow is not installed (pip install mlflow)"
    except Exception as error:  # noqa: BLE001 - whatever a vendor's client raises; its message may contain the address
        log("quality", "a run was not logged to MLflow", logging.WARNING, error=type(error).__name__)
        return f"not logged: MLflow failed ({type(error).__name__}); the run is kept here"
    return "logged to MLflow"


def _log(mlflow: Any, run: EvaluationRun) -> None:
    facts = ("model", "checkpoint", "collection", "collection_version", "ranker", "ranked_by", "labels", "digest")
    found = scores(run.outcomes).measures
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=run.name or f"run {run.id}"):
        mlflow.log_params({name: getattr(run, name) for name in facts} | {"queries": len(run.outcomes)})
        for name, interval in found.items():
            plain = name.replace("@", "_at_")  # MLflow takes no @ in names
            mlflow.log_metrics({plain: interval.value, f"{plain}_low": interval.low, f"{plain}_high": interval.high})
        mlflow.log_metrics({"usd": run.usd, "seconds": run.seconds, "fallbacks": float(run.fallbacks)})
