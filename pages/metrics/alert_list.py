"""Alerts: the state of each rule, their history, and silencing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from core.access import Action
from core.app import App
from core.errors import ContactSheetError
from core.records.alerts import Alert, AlertChange, AlertRule
from core.text import duration
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import explain_unless_allowed, person
from pages.ui.resources import MonitoringServices
from pages.ui.streamlit_internals import uninterrupted

SILENCE_LENGTHS = {
    "1 hour": timedelta(hours=1),
    "8 hours": timedelta(hours=8),
    "1 day": timedelta(days=1),
    "1 week": timedelta(days=7),
}
MAX_CHANGES = 50
REFUSAL_KEY = "silence_refused"
ORDER = {"firing": 0, "pending": 1, "resolved": 2, "inactive": 3}
BADGES = {
    "firing": ":red-badge[:material/notifications_active: firing]",
    "pending": ":orange-badge[pending]",
    "resolved": ":green-badge[resolved]",
    "inactive": ":gray-badge[quiet]",
}


def show_alerts(app: App, services: MonitoringServices) -> None:
    """The rules, firing ones first; the form to silence them, their history, and where else alerts are sent."""
    now = datetime.now(UTC)
    alerts = app.monitor.alerts.check(now)
    if not any(alert.active for alert in alerts):
        st.markdown(":material/notifications: No active alerts.")
    for alert in by_urgency(alerts):
        with st.container(border=True, gap=None):
            st.markdown(alert_line(alert, now))
            st.caption(alert.rule.advice + silence_line(alert))
    silence_form(app, alerts)
    show_alert_history(app.monitor.alerts.history(MAX_CHANGES), app.monitor.alerts.rules)
    show_destinations(app, services)


def by_urgency(alerts: Sequence[Alert]) -> list[Alert]:
    """Sorted by phase, firing first; within a phase in the order of the rules."""
    return sorted(alerts, key=lambda alert: ORDER[alert.state.phase])


def alert_line(alert: Alert, now: datetime) -> str:
    """`firing · Searches are slow: 3.00 s (threshold 2.00 s) · since 14:02, 3:10 ago`."""
    state = alert.state
    unmeasured = math.isnan(state.value)
    text = f"{alert.rule.title}: nothing measured yet" if unmeasured else alert.summary
    since = f" · since {state.since:%-d %B, %H:%M:%S} ({time_ago(state.since, now)})" if state.since else ""
    ends = f" · ends at {alert.rule.format(alert.rule.clear)}" if alert.firing else ""
    return f"{BADGES[state.phase]} **{escape_markdown(text)}**{escape_markdown(since + ends)}"


def time_ago(moment: datetime, now: datetime) -> str:
    return f"{duration(max((now - moment).total_seconds(), 0.0))} ago"


def silence_line(alert: Alert) -> str:
    silence = alert.silence
    if silence is None:
        return ""
    reason = f": {silence.reason}" if silence.reason else ""
    return escape_markdown(f" Silenced until {silence.until:%-d %B, %H:%M} UTC by {silence.author}{reason}.")


def silence_form(app: App, alerts: Sequence[Alert]) -> None:
    """For curators; a single form below all alerts, so that it never jumps to another one."""
    st.header("Silence an alert", anchor=False)
    refusal = st.session_state.get(REFUSAL_KEY)
    if refusal:
        st.error(escape_markdown(sentence(refusal)), icon=":material/error:")
    if not explain_unless_allowed(app.access, Action.SILENCE):
        return
    titles = {alert.rule.name: alert.rule.title for alert in alerts}
    with st.form("silence", clear_on_submit=True), st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Alert", list(titles), format_func=lambda name: titles[name], key="silence_name", width=300)
        st.selectbox("For", list(SILENCE_LENGTHS), key="silence_for", width=120)
        st.text_input("Why", key="silence_why", max_chars=200, width=300)
        st.form_submit_button("Silence", icon=":material/notifications_off:", on_click=silence_alert, args=(app,))
    for alert in alerts:
        if alert.silence:
            st.button(
                f"End the silence of “{escape_markdown(alert.rule.title)}”",
                key=f"unsilence_{alert.rule.name}",
                on_click=unsilence_alert,
                args=(app, alert.rule.name),
            )


@uninterrupted
def silence_alert(app: App) -> None:
    """Silence the alert of the form; an error is shown above it."""
    st.session_state[REFUSAL_KEY] = ""
    name, until = st.session_state["silence_name"], datetime.now(UTC) + SILENCE_LENGTHS[st.session_state["silence_for"]]
    try:
        app.monitor.alerts.silence(name, until, person(), st.session_state["silence_why"])
    except ContactSheetError as error:
        st.session_state[REFUSAL_KEY] = str(error)


@uninterrupted
def unsilence_alert(app: App, name: str) -> None:
    st.session_state[REFUSAL_KEY] = ""
    try:
        app.monitor.alerts.unsilence(name, person())
    except ContactSheetError as error:
        st.session_state[REFUSAL_KEY] = str(error)


def show_alert_history(changes: Sequence[AlertChange], rules: Sequence[AlertRule]) -> None:
    """When alerts fired and were resolved, newest first."""
    st.header("What happened", anchor=False)
    if not changes:
        st.caption("No alert has fired yet.")
        return
    st.dataframe(alert_change_rows(changes, rules), key="changes", hide_index=True)


def alert_change_rows(changes: Sequence[AlertChange], rules: Sequence[AlertRule]) -> list[dict[str, str]]:
    """The changes as table rows; values of a rule that no longer exists have no unit."""
    known = {rule.name: rule for rule in rules}
    return [
        {
            "When (UTC)": f"{change.at:%Y-%m-%d %H:%M:%S}",
            "Alert": known[change.name].title if change.name in known else change.name,
            "State": change.phase,
            "Value": _formatted(known.get(change.name), change.value),
            "Threshold": _formatted(known.get(change.name), change.threshold),
        }
        for change in changes
    ]


def _formatted(rule: AlertRule | None, value: float) -> str:
    return rule.format(value) if rule else f"{value:g}"


def show_destinations(app: App, services: MonitoringServices) -> None:
    """Where else alerts and metrics go: the webhook, Prometheus."""
    st.header("Elsewhere", anchor=False)
    webhook = (
        "Alerts are sent to a webhook."
        if app.settings.alert_webhook
        else "No webhook is set (CONTACTSHEET_ALERT_WEBHOOK)."
    )
    if services.error:
        st.warning(escape_markdown(sentence(services.error)), icon=":material/lan:")
    prometheus = ""
    if services.address:
        prometheus = f"Prometheus finds the metrics at `{services.address}/metrics`."
    elif not services.error:
        prometheus = "Metrics are not served to Prometheus (CONTACTSHEET_METRICS_PORT)."
    st.caption(f"{webhook} {prometheus}")
