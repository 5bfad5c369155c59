"""Alerts: where each stands, what became of them, and their silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from core.app import App
from core.cli.progress_bar import duration
from core.errors import ContactSheetError
from core.records.alerts import Alert, AlertChange, AlertRule
from pages.ui.format import plain
from pages.ui.person import only_curators, person
from pages.ui.resources import Watching
from pages.ui.streamlit_internals import uninterrupted

LENGTHS = {
    "1 hour": timedelta(hours=1),
    "8 hours": timedelta(hours=8),
    "1 day": timedelta(days=1),
    "1 week": timedelta(days=7),
}
HISTORY = 50
REFUSED = "silence_refused"
ORDER = {"firing": 0, "pending": 1, "resolved": 2, "inactive": 3}
BADGES = {
    "firing": ":red-badge[:material/notifications_active: firing]",
    "pending": ":orange-badge[pending]",
    "resolved": ":green-badge[resolved]",
    "inactive": ":gray-badge[quiet]",
}


def show_alerts(app: App, watching: Watching) -> None:
    """Firing ones first; then what became of others, and where else one hears of them."""
    now = datetime.now(UTC)
    alerts = app.monitor.alerts.check(now)
    for alert in arranged(alerts):
        with st.container(border=True, gap=None):
            st.markdown(line(alert, now))
            st.caption(alert.rule.advice + silence_line(alert))
    silence_form(app, alerts)
    history(app.monitor.alerts.history(HISTORY), app.monitor.alerts.rules)
    elsewhere(app, watching)


def arranged(alerts: Sequence[Alert]) -> list[Alert]:
    """Those that fire first, each kind in the order of the rules."""
    return sorted(alerts, key=lambda alert: ORDER[alert.state.phase])


def line(alert: Alert, now: datetime) -> str:
    """`firing · Searches are slow: 3.00 s (threshold 2.00 s) · since 14:02, 3:10 ago`."""
    state = alert.state
    nothing = state.value != state.value
    text = f"{alert.rule.title}: nothing measured yet" if nothing else alert.sentence
    since = f" · since {state.since:%-d %B, %H:%M:%S} ({ago(state.since, now)})" if state.since else ""
    ends = f" · ends at {alert.rule.shown(alert.rule.clear)}" if alert.firing else ""
    return f"{BADGES[state.phase]} **{plain(text)}**{plain(since + ends)}"


def ago(moment: datetime, now: datetime) -> str:
    return f"{duration(max((now - moment).total_seconds(), 0.0))} ago"


def silence_line(alert: Alert) -> str:
    silence = alert.silence
    if silence is None:
        return ""
    why = f": {silence.why}" if silence.why else ""
    return plain(f" Silenced until {silence.until:%-d %B, %H:%M} UTC by {silence.author}{why}.")


def silence_form(app: App, alerts: Sequence[Alert]) -> None:
    """For curators; one form below all alerts, so that it never moves to another one."""
    st.subheader("Silence an alert", anchor=False)
    refused = st.session_state.get(REFUSED)
    if refused:
        st.error(plain(refused), icon=":material/error:")
    if not only_curators(app.access, "silence alerts"):
        return
    titles = {alert.rule.name: alert.rule.title for alert in alerts}
    with st.form("silence", clear_on_submit=True), st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Alert", list(titles), format_func=lambda name: titles[name], key="silence_name", width=300)
        st.selectbox("For", list(LENGTHS), key="silence_for", width=120)
        st.text_input("Why", key="silence_why", max_chars=200, width=300)
        st.form_submit_button("Silence", icon=":material/notifications_off:", on_click=silence, args=(app,))
    for alert in alerts:
        if alert.silence:
            st.button(
                f"End the silence of “{plain(alert.rule.title)}”",
                key=f"unsilence_{alert.rule.name}",
                on_click=unsilence,
                args=(app, alert.rule.name),
            )


@uninterrupted
def silence(app: App) -> None:
    """Take the form at its word; what speaks against it is said above it."""
    st.session_state[REFUSED] = ""
    name, until = st.session_state["silence_name"], datetime.now(UTC) + LENGTHS[st.session_state["silence_for"]]
    try:
        app.monitor.alerts.silence(name, until, person(), st.session_state["silence_why"])
    except ContactSheetError as error:
        st.session_state[REFUSED] = str(error)


@uninterrupted
def unsilence(app: App, name: str) -> None:
    st.session_state[REFUSED] = ""
    try:
        app.monitor.alerts.unsilence(name, person())
    except ContactSheetError as error:
        st.session_state[REFUSED] = str(error)


def history(changes: Sequence[AlertChange], rules: Sequence[AlertRule]) -> None:
    """When alerts fired and were resolved, the newest first."""
    st.subheader("What happened", anchor=False)
    if not changes:
        st.caption("No alert has fired yet.")
        return
    st.dataframe(change_rows(changes, rules), key="changes", hide_index=True)


def change_rows(changes: Sequence[AlertChange], rules: Sequence[AlertRule]) -> list[dict[str, str]]:
    """The changes as the table shows them; a rule that is gone leaves its bare values."""
    known = {rule.name: rule for rule in rules}
    return [
        {
            "When (UTC)": f"{change.at:%Y-%m-%d %H:%M:%S}",
            "Alert": known[change.name].title if change.name in known else change.name,
            "Became": change.phase,
            "Value": _shown(known.get(change.name), change.value),
            "Threshold": _shown(known.get(change.name), change.threshold),
        }
        for change in changes
    ]


def _shown(rule: AlertRule | None, value: float) -> str:
    return rule.shown(value) if rule else f"{value:g}"


def elsewhere(app: App, watching: Watching) -> None:
    """Where else one hears of alerts: the webhook, Prometheus."""
    st.subheader("Elsewhere", anchor=False)
    told = "A webhook is told." if app.settings.alert_webhook else "No webhook is told (CONTACTSHEET_ALERT_WEBHOOK)."
    if watching.fault:
        st.warning(plain(watching.fault), icon=":material/lan:")
    served = (
        f"Prometheus finds the metrics at `{watching.address}/metrics`."
        if watching.address
        else ("" if watching.fault else "Metrics are not served to Prometheus (CONTACTSHEET_METRICS_PORT).")
    )
    st.caption(f"{told} {served}")
