"""Spans of time and moments in words."""

from __future__ import annotations

from datetime import datetime


def duration(seconds: float) -> str:
    """A span of time, rounded to what one can foresee: «less than a minute», «2 hours 10 minutes», «3 days»."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes >= 48 * 60:
        return f"{round(minutes / 60 / 24)} days"
    precision = 1 if minutes < 60 else 10 if minutes < 10 * 60 else 60
    hours, rest = divmod(precision * round(minutes / precision), 60)
    parts = [
        f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in ((hours, "hour"), (rest, "minute")) if count
    ]
    return " ".join(parts)


def roughly(seconds: float) -> str:
    """A span of time that is estimated: «less than a minute», «about 12 minutes»."""
    words = duration(seconds)
    return words if words.startswith("less") else f"about {words}"


def when(moment: datetime) -> str:
    """A moment of the past: «today 14:05», «yesterday 09:30», «12 Mar 2026»."""
    days = (datetime.now().date() - moment.date()).days
    day = {0: "today", 1: "yesterday"}.get(days)
    return f"{day} {moment:%H:%M}" if day else f"{moment.day} {moment:%b %Y}"


def in_words(seconds: float) -> str:
    """How long something took: «less than a second», «3 seconds», «2 minutes and 5 seconds»."""
    if seconds < 1:
        return "less than a second"
    minutes, rest = divmod(round(seconds), 60)
    counted = ((minutes, "minute"), (rest, "second"))
    parts = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counted if count]
    return " and ".join(parts)
