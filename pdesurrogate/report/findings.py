"""What the numbers say, in plain words; a sentence stands only where they support it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from pdesurrogate.evaluation.statistics import paired_comparison
from pdesurrogate.report.comparisons import in_words
from pdesurrogate.report.estimates import Estimate, estimate, estimate_ratio
from pdesurrogate.report.methods import SOLVERS, Series, Study
from pdesurrogate.report.moments import FIRST, LAST, Moment, moments
from pdesurrogate.report.numbers import duration, list_in_words, significant, times
from pdesurrogate.report.tables import transfer_gap

__all__ = ["Finding", "findings", "headline"]

_KEEPS = 1.05
"""A ratio of errors up to which a grid counts as no worse than the training grid."""

_MOST_LISTED = 6


@dataclass(frozen=True)
class Finding:
    """A lead and the sentences that follow it."""

    lead: str
    text: str


def headline(study: Study, field: str) -> str:
    """The page's first sentence: what becomes of the models at the finest grid."""
    finest = study.resolutions[-1]
    native = _native_ratios(study, finest, field, FIRST)
    carried = _carried_gaps(study, finest, field)
    if not native and not carried:
        return _headline_of_one_grid(study, field)
    where = _where(study, finest)
    parts = []
    if native:
        parts.append(_native_clause(native))
    if carried:
        parts.append(_carried_clause(carried))
    joined = "; ".join(parts)
    return f"{where}, {joined}."


def findings(study: Study, field: str) -> list[Finding]:
    """What else a reader should know before the tables, most important first."""
    finest = study.resolutions[-1]
    found = [
        _native_finding(study, finest, field),
        _carried_finding(study, finest, field),
        _best_finding(study, finest, field),
        _baseline_finding(study, finest, field),
        _blow_up_finding(study),
    ]
    return [finding for finding in found if finding is not None]


def _where(study: Study, resolution: int) -> str:
    trained = {m.training_resolution for m in study.models if m.training_resolution}
    if len(trained) == 1:
        return f"At {resolution / trained.pop():g} times the training grid"
    return f"At {study.size(resolution)}"


def _native_ratios(study: Study, resolution: int, field: str, step: int) -> dict[Series, Estimate]:
    """In-band error at a resolution over that at the training grid, per model used as it is."""
    ratios = {}
    for method in study.models:
        n0, native = study.trained_grid(method, field), Series(method, "native")
        if n0 is None or n0 >= resolution or not study.predicts(native, resolution, field):
            continue
        here = study.scores("in_band_error", native, resolution, field)[..., step]
        home = study.scores("in_band_error", native, n0, field)[..., step]
        ratios[native] = estimate_ratio(here, home)
    return ratios


def _carried_gaps(study: Study, resolution: int, field: str) -> dict[Series, Estimate]:
    """Transfer gaps of the models under every protocol other than native."""
    gaps = {
        series: transfer_gap(study, series, resolution, field)
        for series in study.series(resolution, field)
        if not series.method.is_baseline and series.protocol != "native"
    }
    return {series: gap for series, gap in gaps.items() if gap is not None}


def _whole(ratios: dict[Series, Estimate]) -> dict[Series, Estimate]:
    """Those of which no rollout broke, the smallest first."""
    whole = {s: r for s, r in ratios.items() if r.num_broken == 0 and np.isfinite(r.mean)}
    return dict(sorted(whole.items(), key=lambda item: item[1].mean))


def _native_clause(ratios: dict[Series, Estimate]) -> str:
    whole = _whole(ratios)
    num_broken = len(ratios) - len(whole)
    if not whole:
        return "models used as they are break"
    suffix = f", or break ({num_broken} of {len(ratios)})" if num_broken else ""
    worse = [ratio.mean for ratio in whole.values() if ratio.mean > _KEEPS]
    span = _span([ratio.mean for ratio in whole.values()])
    if len(ratios) == 1:
        series, ratio = next(iter(whole.items()))
        verb = "grows to" if worse else "stays at"
        name = series.method.name
        where = "in the resolved band"
        return (
            f"{name}’s native error {where} {verb} {times(ratio.mean)} its error at the training "
            "grid"
        )
    if not worse and not num_broken:
        return f"every model used as it is keeps its error in the resolved band ({span} as large)"
    if len(worse) == len(whole) or num_broken:
        return f"models used as they are err {span} as much in the resolved band{suffix}"
    return (
        f"{len(worse)} of {len(whole)} models used as they are lose accuracy "
        f"(errors in the resolved band up to {times(max(worse))} as large)"
    )


def _carried_clause(gaps: dict[Series, Estimate]) -> str:
    who = list_in_words(list(dict.fromkeys(s.protocol for s in gaps)))
    means = [gap.mean for gap in _whole(gaps).values()]
    if not means:
        return f"{who}, they break"
    suffix = f", or they break ({len(gaps) - len(means)} of {len(gaps)})"
    suffix = suffix if len(means) < len(gaps) else ""
    if max(means) <= _KEEPS:
        return f"{who}, the error in the resolved band stays at {_span(means)}{suffix}"
    return (
        f"{who}, the error in the resolved band is {_span(means)} that at the training grid{suffix}"
    )


def _span(ratios: Sequence[float]) -> str:
    low, high = significant(min(ratios)), significant(max(ratios))
    return f"{low}×" if low == high else f"{low}–{high}×"


def _headline_of_one_grid(study: Study, field: str) -> str:
    resolution = study.resolutions[-1]
    ranked = _ranked(study, resolution, field, FIRST)
    if not ranked:
        return f"No model was evaluated at {study.size(resolution)}."
    series, errors = ranked[0]
    return (
        f"At {study.size(resolution)}, {series.name} errs by {significant(errors.mean())} "
        f"after one step."
    )


def _native_finding(study: Study, resolution: int, field: str) -> Finding | None:
    first = _native_ratios(study, resolution, field, FIRST)
    if not first:
        return None
    text = (
        f"On {study.size(resolution)} points the same weights err after one step, in the band "
        f"of their training grid and relative to it: {_listing(first)}."
    )
    for moment in moments(study, field)[1:]:
        later = _native_ratios(study, resolution, field, moment.step)
        text += f" After {moment.after}: {_listing(later)}."
    return Finding("Used as they are", text)


def _listing(ratios: dict[Series, Estimate]) -> str:
    """Each method and its ratio, by protocol if they are many, and which of them broke."""
    whole = _whole(ratios)
    protocols = list(dict.fromkeys(s.protocol for s in ratios))
    if len(whole) <= _MOST_LISTED:
        labels = {s: s.method.name if len(protocols) == 1 else s.name for s in whole}
        items = [f"{labels[s]} {times(ratio.mean)}" for s, ratio in whole.items()]
    else:
        means = {p: [r.mean for s, r in whole.items() if s.protocol == p] for p in protocols}
        items = [
            f"{len(of)} models {_span(of)}" + ("" if len(protocols) == 1 else f" {protocol}")
            for protocol, of in means.items()
            if of
        ]
    items += [
        f"{s.name} broke in {ratio.num_broken} of {ratio.num_rollouts} rollouts"
        for s, ratio in ratios.items()
        if ratio.num_broken
    ]
    return list_in_words(items) or "nothing to compare with"


def _carried_finding(study: Study, resolution: int, field: str) -> Finding | None:
    gaps = _carried_gaps(study, resolution, field)
    if not gaps:
        return None
    protocols = list(dict.fromkeys(s.protocol for s in gaps))
    how = f"{protocols[0].capitalize()}: transfer" if len(protocols) == 1 else "Transfer"
    text = f"{how} gaps after one step: {_listing(gaps)}."
    floors = [
        estimate(study.scores("out_of_band_error", s, resolution, field)[..., FIRST]).mean
        for s in study.series(resolution, field)
        if s.method.model == "truncation floor"
    ]
    if floors and any(s.protocol == "projected" for s in gaps):
        text += (
            f" A projected prediction holds nothing finer than its training grid, so that its "
            f"total error cannot go below the truncation floor, {significant(floors[0])}."
        )
    return Finding("Carried over from the training grid", text)


def _ranked(
    study: Study, resolution: int, field: str, step: int
) -> list[tuple[Series, np.ndarray]]:
    """Models without broken rollouts by total error, the smallest first."""
    errors = [
        (series, study.scores("total_error", series, resolution, field)[..., step])
        for series in study.series(resolution, field)
        if not series.method.is_baseline
    ]
    whole = [(s, e) for s, e in errors if np.isfinite(e).all()]
    return sorted(whole, key=lambda item: float(item[1].mean()))


def _best_finding(study: Study, resolution: int, field: str) -> Finding | None:
    sentences = [
        sentence
        for moment in moments(study, field)
        if (sentence := _best_sentence(study, resolution, field, moment))
    ]
    if not sentences:
        return None
    return Finding(f"Best at {study.size(resolution)}", " ".join(sentences))


def _best_sentence(study: Study, resolution: int, field: str, moment: Moment) -> str:
    ranked = _ranked(study, resolution, field, moment.step)
    if not ranked:
        return ""
    (best, errors), *others = ranked
    sentence = (
        f"After {moment.after}, {best.name} has the smallest total error of the models, "
        f"{significant(errors.mean())}"
    )
    rivals = [(s, e) for s, e in others if s.method != best.method]
    if rivals:
        rival, rival_errors = rivals[0]
        verdict = in_words(paired_comparison(rival_errors, errors).verdict)
        sentence += f"; {rival.name} follows at {significant(rival_errors.mean())} ({verdict})"
    return f"{sentence}."


def _baseline_finding(study: Study, resolution: int, field: str) -> Finding | None:
    """The best model against forecasts that need no training."""
    ranked = _ranked(study, resolution, field, FIRST)
    if not ranked:
        return None
    best, _ = ranked[0]
    sentences = [
        _against(study, best, baseline, resolution, field)
        for baseline in study.series(resolution, field)
        if baseline.method.is_baseline
        and baseline.method.model != "truncation floor"
        and baseline.method.cost_of in ("", *best.method.runs)
    ]
    text = " ".join(sentence for sentence in sentences if sentence)
    return Finding("Against forecasts without training", text) if text else None


def _against(study: Study, best: Series, baseline: Series, resolution: int, field: str) -> str:
    clauses = []
    for moment in moments(study, field):
        errors = study.scores("total_error", best, resolution, field)[..., moment.step]
        reference = study.scores("total_error", baseline, resolution, field)[..., moment.step]
        comparison = paired_comparison(errors, reference)
        if np.isnan(comparison.ratio.mean):
            continue
        verdict = in_words(comparison.verdict)
        clauses.append(f"{times(comparison.ratio.mean)} ({verdict}) after {moment.after}")
    if not clauses:
        return ""
    sentence = f"The error of {best.name} over that of {baseline.name} is {list_in_words(clauses)}"
    ours, theirs = (study.seconds_per_step(s, resolution) for s in (best, baseline))
    if baseline.method.model in SOLVERS and np.isfinite(ours + theirs):
        sentence += f", at {duration(ours)} a step against the solver’s {duration(theirs)}"
    return f"{sentence}."


def _blow_up_finding(study: Study) -> Finding:
    broken, rollouts = [], 0
    for method, protocol, resolution in product(study.methods, study.protocols, study.resolutions):
        series = Series(method, protocol)
        if not study.was_run(series, resolution):
            continue
        blown = study.blow_ups(series, resolution)[..., LAST] == 1
        rollouts += blown.size
        if blown.any():
            where = study.size(resolution)
            broken.append(f"{series.name} at {where} ({blown.sum()} of {blown.size})")
    if not broken:
        return Finding("Stability", f"None of the {rollouts} rollouts blew up.")
    return Finding("Stability", f"Rollouts blew up: {list_in_words(broken)}.")
