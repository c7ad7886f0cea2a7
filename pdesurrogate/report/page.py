"""One self-contained page from one or several evaluations."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pdesurrogate.evaluation.scaling.store import is_scaling_file
from pdesurrogate.files import write_atomically
from pdesurrogate.report.animation import animate
from pdesurrogate.report.comparisons import comparisons
from pdesurrogate.report.cost_error import cost_error_panels
from pdesurrogate.report.figures import error_over_lead_time, error_over_resolution, spectra
from pdesurrogate.report.findings import findings, headline
from pdesurrogate.report.gather import Gathered, gather, json_attribute
from pdesurrogate.report.legend import legend, marker_path, svg_dash
from pdesurrogate.report.looks import dash_of
from pdesurrogate.report.methods import Study
from pdesurrogate.report.moments import USEFUL_ERROR, moments
from pdesurrogate.report.numbers import significant
from pdesurrogate.report.pictures import Gallery, gallery
from pdesurrogate.report.rollout_table import CORRELATED, rollout_table
from pdesurrogate.report.scaling_figure import scaling_panels
from pdesurrogate.report.scaling_study import ScalingStudy, gather_scaling
from pdesurrogate.report.scaling_table import SCALING_COLUMNS, scaling_table
from pdesurrogate.report.summary import summary
from pdesurrogate.report.tables import cost_table, main_table

__all__ = ["write_report"]


def write_report(
    evaluations: Sequence[Path | str], out: Path | str, *, overwrite: bool = False
) -> Path:
    """Write one HTML page that says what the evaluated models are worth, with pictures.

    The page needs no network and no other file: styles, figures and the animation are in it.

    Args:
        evaluations: Evaluation files of one dataset; several are compared side by side. Scaling
            files of the same dataset may stand among them and get a section of their own.
        out: Where the page goes. Its directory is made if need be.
        overwrite: Whether an existing page may be replaced.

    Returns:
        The path of the page.

    Raises:
        FileNotFoundError: If an evaluation file is missing.
        ValueError: If `out` exists and may not be replaced, or if the files are no evaluations or
            cannot be compared.
    """
    out = Path(out)
    if out.is_dir():
        raise ValueError(f"{out} is a directory; name the HTML file to write")
    if out.exists() and not overwrite:
        raise ValueError(f"{out} exists; pass --overwrite to replace it")
    paths = [Path(path) for path in evaluations]
    scalings = [path for path in paths if is_scaling_file(path)]
    with ExitStack() as files:
        gathered = gather([path for path in paths if path not in scalings], files)
        page = _render(gathered, scalings, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page.encode("utf-8"))
    return out


def _render(gathered: Gathered, scalings: Sequence[Path], out: Path) -> str:
    environment = Environment(
        loader=PackageLoader("pdesurrogate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["significant"] = significant
    environment.filters["marker_path"] = marker_path
    environment.filters["svg_dash"] = svg_dash
    environment.globals["dash_of"] = dash_of
    return environment.get_template("report.html.j2").render(_context(gathered, scalings, out))


def _context(gathered: Gathered, scalings: Sequence[Path], out: Path) -> dict[str, Any]:
    study = Study.of(gathered.table)
    field, finest = study.fields[0], study.resolutions[-1]
    scaling = _scaling(study, scalings)
    galleries = _galleries(study, gathered, field)
    times = study.spectrum_lead_times
    return {
        "title": str(study.table.attrs.get("title", "Evaluation")),
        "headline": headline(study, field),
        "findings": findings(study, field),
        "summary": summary(study),
        "legend": legend(study),
        "field": study.field_label(field),
        "field_units": study.field_units(field),
        "moments": moments(study, field),
        "num_steps": len(study.lead_times),
        "useful_error": USEFUL_ERROR,
        "lead_times": study.lead_times,
        "time_unit": study.time_unit,
        "short_sizes": [study.short_size(n) for n in study.resolutions],
        "num_trajectories": study.num_trajectories,
        "resolutions": study.resolutions,
        "protocols": study.protocols,
        "has_seeds": any(len(m.seeds) > 1 for m in study.models),
        "tables": [
            (study.field_label(f), moments(study, f), main_table(study, f)) for f in study.fields
        ],
        "finest_size": study.size(finest),
        "comparisons": comparisons(study, field),
        "rollouts": rollout_table(study, field),
        "correlated": CORRELATED,
        "lead_time_panels": error_over_lead_time(study, field),
        "resolution_panels": error_over_resolution(study, field),
        "spectrum_panels": [
            (float(times[index]), spectra(study, field, index))
            for index in dict.fromkeys((0, len(times) - 1))
        ],
        "galleries": galleries,
        "most_tiles": max((len(g.tiles) for g in galleries), default=1),
        "animation": animate(study, gathered.examples.get(finest, ()), finest, field),
        "costs": cost_table(study),
        "cost_error_panels": cost_error_panels(study, field),
        "has_equal_cost": any(method.cost_of for method in study.methods),
        "versions": json_attribute(study.table, "versions", {}),
        "machine": str(study.table.attrs.get("machine", "unknown")),
        **_scaling_section(scaling, field),
        "commands": _commands(gathered, scaling),
        "report_command": shlex.join(
            ["pdesurrogate", "report", *map(str, [*gathered.paths, *scalings]), "--out", str(out)]
        ),
    }


def _scaling(study: Study, scalings: Sequence[Path]) -> ScalingStudy | None:
    """What scaling files say, in the colours of the other figures."""
    looks = {run: method.look for method in study.models for run in method.runs}
    return gather_scaling(scalings, str(study.table.attrs["dataset_sha256"]), looks)


def _scaling_section(scaling: ScalingStudy | None, field: str) -> dict[str, Any]:
    if scaling is None or not scaling.showing(field):
        return {"scaling_panels": [], "scaling_columns": (), "scaling_rows": ()}
    return {
        "scaling_panels": scaling_panels(scaling, field),
        "scaling_columns": SCALING_COLUMNS,
        "scaling_rows": scaling_table(scaling, field).groups[0][1],
    }


def _galleries(study: Study, gathered: Gathered, field: str) -> list[Gallery]:
    """Pictures by resolution and lead time."""
    made = [
        gallery(study, gathered.examples.get(resolution, ()), resolution, field, moment)
        for resolution in study.resolutions
        for moment in moments(study, field)
    ]
    return [g for g in made if g is not None]


def _commands(gathered: Gathered, scaling: ScalingStudy | None) -> list[str]:
    """What made the files, each line once; nothing if one of them does not tell."""
    told = [gathered.commands, *([] if scaling is None else [scaling.commands])]
    return list(dict.fromkeys(line for lines in told for line in lines)) if all(told) else []
