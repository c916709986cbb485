"""The first part of the report: what differs, the verdict in words, and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from experiments.comparison.contents import (
    against_control,
    how_compared,
    joined,
    name_of,
    of_the_test_set,
)
from experiments.comparison.formats import Unit, percent, probability, short, unit_of
from experiments.comparison.markup import Markup, join, tag
from experiments.comparison.report_tables import bullets, card_table, chip, plain_table, section
from experiments.comparison.table_rows import overview, pairs_table, settings_table

Dict = Mapping[str, Any]


def header(verdict: Dict) -> Markup:
    """Return the head of the page: what was compared, when, and of how much."""
    design = verdict["design"]
    against = f", against {joined(design['control'], ', ')}" if design.get("control") else ""
    unit = Unit(design["unit"] == "points", 2)
    facts = [moment(verdict["made_at"]), f"{len(verdict['runs']):,} runs"]
    seeds = {len(task["seeds_used"]) for task in verdict["tasks"]}
    if seeds:
        ends = "–".join(str(n) for n in sorted({min(seeds), max(seeds)}))
        facts.append(f"{ends} seed{'' if seeds == {1} else 's'}")
    if design.get("delta") is not None:
        facts.append(f"differences of {unit.amount(design['delta'])} or more matter")
    return tag(
        "header",
        tag("p", f"{design['metric']} by {joined(design['factor'])}{against}", class_="kicker"),
        tag("h1", verdict["name"]),
        tag("p", " · ".join(facts), class_="meta"),
    )


def moment(text: str) -> str:
    """Return a time of ISO 8601 as a person writes it, or the text if it is none.

    >>> moment("2026-11-27T09:30:00+00:00")
    '27 November 2026, 09:30 UTC'
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = f" {time.tzname()}" if time.tzinfo else ""
    return f"{time.day} {time:%B %Y, %H:%M}{zone}"


def confounds(verdict: Dict) -> Markup:
    """Return what differs between the settings beyond the factor, before any number."""
    found, factor = verdict["confounds"], joined(verdict["design"]["factor"], " and ")
    parts: list[Any] = []
    for key, title, kind in (
        (
            "withholding",
            f"Differs between settings beside {factor}: this withholds verdicts",
            "bad",
        ),
        ("listed", "Differs between runs, but alike in all settings", "mild"),
        ("allowed", "Differs between settings, and was allowed by name", "mild"),
    ):
        if found[key]:
            mark = tag("span", "× " if kind == "bad" else "· ", aria_hidden="true")
            title_line = tag("p", mark, title, class_="callout-title")
            parts.append(tag("div", title_line, bullets(found[key]), class_=f"callout {kind}"))
    if not parts:
        return tag("p", f"Nothing but {factor} differs between the settings.", class_="alike")
    return join(parts)


def headline(verdict: Dict) -> Markup:
    """Return the verdict in words."""
    return tag("div", *(tag("p", sentence) for sentence in verdict["headline"]), class_="headline")


def gaps_first(verdict: Dict) -> Markup | None:
    """Return in one line that the comparison has gaps, with a link to them."""
    words = []
    if verdict["missing"]:
        words.append(f"runs are missing in {number_of(verdict['missing'], 'place')}")
    if verdict["unread"]:
        words.append(f"{number_of(verdict['unread'], 'folder')} could not be read")
    if verdict["excluded"]:
        words.append(f"{number_of(verdict['excluded'], 'run')} left out")
    if not words:
        return None
    link = tag("a", "what they are, and the command that fills them", href="#gaps")
    return tag("p", f"There are gaps: {', '.join(words)} (", link, ").", class_="callout mild")


def number_of(those: Sequence[Any], what: str) -> str:
    """Return how many there are of something.

    >>> number_of(["a"], "run"), number_of(["a", "b"], "run")
    ('1 run', '2 runs')
    """
    return f"{len(those)} {what}{'' if len(those) == 1 else 's'}"


def verdict_section(verdict: Dict) -> Markup:
    """Return the verdict: confounds, words, notes, and the table of the only task or of all."""
    tasks = verdict["tasks"]
    parts: list[Any] = [confounds(verdict), headline(verdict), gaps_first(verdict)]
    parts.append(bullets(verdict["notes"], class_="notes"))
    if len(tasks) > 1:
        parts.append(card_table(overview(verdict), "Means and verdicts on every task"))
    else:
        parts += [task_tables(verdict, task) for task in tasks]
    parts.append(tag("p", how_compared(verdict), class_="fine"))
    return section("verdict", "Verdict", *parts)


def task_tables(verdict: Dict, task: Dict) -> Markup:
    """Return the tables of a task: settings, every number of the comparisons, failures."""
    table = settings_table(verdict, task)
    parts: list[Any] = [card_table(table, f"Settings on {task['name']}")]
    if table.bold:
        parts.append(tag("p", "Best: it beats each of the others by the verdict.", class_="fine"))
    if task["pairs"] and not against_control(task):
        parts.append(card_table(pairs_table(verdict, task), f"Every pair on {task['name']}"))
    parts += [tag("p", sentence, class_="fine") for sentence in of_the_test_set(task)]
    parts += [every_number(verdict, task), failures(task)]
    return join(part for part in parts if part is not None)


def every_number(verdict: Dict, task: Dict) -> Markup | None:
    """Return, folded, what else is known of each comparison."""
    if not task["pairs"]:
        return None
    unit = unit_of(verdict, task)
    headings = ["comparison", "seeds", "difference", "sd of differences", "correlation by seed"]
    headings += ["90 % interval", "p", "p (Holm)", "better on a fresh seed", "verdict"]
    headings += ["would settle it", "detectable", "reason"]
    rows = []
    for p in task["pairs"]:
        chance = with_ends(p["superiority"], p["superiority_interval"])
        seeds = f"{p['seeds_needed']} seeds" if p["seeds_needed"] else "–"
        row = [p["name"], p["n"], unit.change(p["difference"]), unit.bare(p["sd"])]
        row += [short(p["correlation"]), unit.changes(p["interval90"]), probability(p["p"])]
        row += [probability(p["p_holm"]), chance, chip(p["verdict"]), seeds]
        rows.append([*row, unit.bare(p["detectable"]), p["reason"] or "–"])
    caption = "Every number of the comparisons"
    caption += " (differences in points)" if unit.is_points else ""
    return tag("details", tag("summary", caption), plain_table(caption, headings, rows))


def with_ends(share: float | None, interval: Sequence[float] | None) -> str:
    """Return a share of one in percent, with its interval.

    >>> with_ends(0.6, [0.2, 0.9]), with_ends(None, None)
    ('60 % [20, 90]', '–')
    """
    if share is None or interval is None:
        return percent(share)
    return f"{percent(share)} [{', '.join(f'{end * 100:.3g}' for end in interval)}]"


def failures(task: Dict) -> Markup | None:
    """Return, folded, which runs failed and how often each setting does."""
    rows = []
    for s in task["settings"]:
        if s["failures"]:
            rate = with_ends(s["failure_rate"], s["failure_interval"])
            told = bullets([f"seed {seed}: {why}" for seed, why in s["failures"].items()])
            rows.append([s["name"], rate, told])
    if not rows:
        return None
    caption = "Failures: counted, never dropped"
    headings = ["setting", "rate, 95 % interval", "seeds"]
    return tag("details", tag("summary", caption), plain_table(caption, headings, rows))


def ranks_tables(verdict: Dict) -> Markup:
    """Return Friedman's test, the comparisons with the control by ranks, and joint means."""
    found = verdict["several_tasks"]
    friedman = found["friedman"]
    words = f"Friedman: χ² = {short(friedman['statistic'])}, p {equals(friedman['p'])}"
    words += f"; Iman and Davenport: F = {short(friedman['f'])}, p {equals(friedman['f_p'])}."
    parts: list[Any] = [tag("p", words)]
    if found.get("against_control"):
        rows = [
            [
                name_of(verdict, e["setting"]),
                short(e["z"]),
                probability(e["p"]),
                probability(e["p_holm"]),
            ]
            for e in found["against_control"]
        ]
        parts.append(
            plain_table("Ranks against the control", ["setting", "z", "p", "p (Holm)"], rows)
        )
    if found.get("iqm"):
        unit = Unit(verdict["design"]["unit"] == "points", 2 if verdict["design"]["unit"] else 4)
        rows = [
            [name_of(verdict, e["setting"]), unit.value(e["value"]), unit.interval(e["interval"])]
            for e in found["iqm"]
        ]
        headings = ["setting", "interquartile mean", "95 % interval"]
        parts.append(plain_table("Interquartile means over all tasks", headings, rows))
    return join(parts)


def equals(p: float | None) -> str:
    """Return a p value behind its letter.

    >>> equals(0.0001), equals(0.04)
    ('< 0.001', '= 0.040')
    """
    text = probability(p)
    return text if text.startswith("<") else f"= {text}"


def matrix_tables(verdict: Dict) -> Markup:
    """Return what two factors do: sentences, main effects, interaction and shares of variance."""
    found = verdict["matrix"]
    unit = Unit(verdict["design"]["unit"] == "points", 2 if verdict["design"]["unit"] else 4)
    parts: list[Any] = [bullets(found.get("sentences") or [])]
    if found.get("main"):
        rows = [
            [f"{e['factor']}: {e['level']}", str(e["against"]), e["n"],
             unit.change(e["difference"]), unit.changes(e["interval"]), probability(e["p_holm"]),
             chip(e["verdict"])]
            for e in found["main"]
        ]  # fmt: skip
        headings = ["level", "against", "seeds", "difference", "interval", "p (Holm)", "verdict"]
        parts.append(plain_table("Main effects, averaged over the other factor", headings, rows))
    joint = found.get("interaction")
    if joint:
        parts.append(tag("p", f"Interaction: p {equals(joint['p'])}, {joint['n']} seeds."))
        rows = [
            [joined(e["levels"], ", "), unit.change(e["difference"]), unit.changes(e["interval"]),
             probability(e["p"]), probability(e["p_holm"])]
            for e in joint.get("cells") or []
        ]  # fmt: skip
        headings = ["cell", "beyond the sum of its effects", "interval", "p", "p (Holm)"]
        if rows:
            parts.append(plain_table("Interaction, cell by cell", headings, rows))
    if found.get("shares"):
        rows = [[name, percent(share)] for name, share in found["shares"].items()]
        parts.append(plain_table("Shares of the variance", ["source", "share"], rows))
    return join(part for part in parts if part is not None)
