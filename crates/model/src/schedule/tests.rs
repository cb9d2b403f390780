use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn recurrence(text: &str) -> Recurrence {
    text.parse().unwrap()
}

#[test]
fn texts_come_back_in_one_spelling() {
    for (text, spelt) in [
        ("cron(0 3 * * *)", "cron(0 3 * * *)"),
        (" cron( 0   3 * * MON-FRI ) ", "cron(0 3 * * MON-FRI)"),
        ("rate(1 minute)", "rate(1 minute)"),
        ("rate(60 minutes)", "rate(1 hour)"),
        ("rate(90 minutes)", "rate(90 minutes)"),
        ("rate(36 hours)", "rate(36 hours)"),
        ("rate(7 days)", "rate(7 days)"),
    ] {
        let parsed = recurrence(text);
        assert_eq!(parsed.to_string(), spelt);
        let json = serde_json::to_string(&parsed).unwrap();
        assert_eq!(json, format!("\"{spelt}\""));
        assert_eq!(serde_json::from_str::<Recurrence>(&json).unwrap(), parsed);
    }
}

#[test]
fn anything_else_is_refused() {
    for (text, wrong) in [
        ("", RecurrenceError::Form),
        ("0 3 * * *", RecurrenceError::Form),
        ("daily", RecurrenceError::Form),
        ("rate(0 minutes)", RecurrenceError::Rate),
        ("rate(59 seconds)", RecurrenceError::Rate),
        ("rate(-1 hours)", RecurrenceError::Rate),
        ("rate(+1 hours)", RecurrenceError::Rate),
        ("rate(1.5 hours)", RecurrenceError::Rate),
        ("rate(367 days)", RecurrenceError::Rate),
        ("rate(99999999999999999 days)", RecurrenceError::Rate),
        ("rate(1 hour 5 minutes)", RecurrenceError::Rate),
        ("cron(0 0 30 2 *)", RecurrenceError::Never),
        ("cron(0 0 31 4,6,9,11 *)", RecurrenceError::Never),
    ] {
        assert_eq!(text.parse::<Recurrence>(), Err(wrong), "{text}");
    }
    let long = format!("cron({} 3 * * *)", "0,".repeat(200));
    for text in [
        "cron()",
        "cron(* * * *)",
        "cron(0 0 3 * * *)",
        "cron(0 3 * * * 2030)",
        "cron(60 * * * *)",
        "cron(0 24 * * *)",
        "cron(0 3 0 * *)",
        "cron(0 3 * 13 *)",
        "cron(0 3 * * FOO)",
        "cron(@daily)",
        "cron(@ * * * *)",
        "cron(*/0 * * * *)",
        "cron(5-1 * * * *)",
        long.as_str(),
    ] {
        assert!(text.parse::<Recurrence>().is_err(), "{text}");
    }
}

#[test]
fn cron_means_utc_and_either_day() {
    for (text, after, next) in [
        (
            "cron(0 3 * * *)",
            "2026-11-26T03:00:00Z",
            "2026-11-27T03:00:00Z",
        ),
        (
            "cron(0 3 * * *)",
            "2026-11-26T02:59:59.999Z",
            "2026-11-26T03:00:00Z",
        ),
        (
            "cron(*/15 * * * *)",
            "2026-12-31T23:50:00Z",
            "2027-01-01T00:00:00Z",
        ),
        (
            "cron(0 0 29 2 *)",
            "2026-11-26T00:00:00Z",
            "2028-02-29T00:00:00Z",
        ),
        // 2026-11-27 is a Friday, and the 13th of the next month a Sunday.
        (
            "cron(0 0 13 * FRI)",
            "2026-11-26T00:00:00Z",
            "2026-11-27T00:00:00Z",
        ),
        (
            "cron(0 0 * * 0)",
            "2026-11-26T00:00:00Z",
            "2026-11-29T00:00:00Z",
        ),
    ] {
        assert_eq!(
            recurrence(text).next(time(after)),
            Some(time(next)),
            "{text}"
        );
    }
}

#[test]
fn missed_times_collapse_into_one_and_the_series_stays() {
    let due = time("2026-11-26T03:00:00Z");
    for (text, now, next) in [
        (
            "rate(6 hours)",
            "2026-11-26T03:00:00Z",
            "2026-11-26T09:00:00Z",
        ),
        (
            "rate(6 hours)",
            "2026-11-26T08:59:59Z",
            "2026-11-26T09:00:00Z",
        ),
        (
            "rate(6 hours)",
            "2026-11-28T10:00:00Z",
            "2026-11-28T15:00:00Z",
        ),
        (
            "cron(0 3 * * *)",
            "2026-11-26T03:00:01Z",
            "2026-11-27T03:00:00Z",
        ),
        (
            "cron(0 3 * * *)",
            "2026-12-24T12:00:00Z",
            "2026-12-25T03:00:00Z",
        ),
    ] {
        let following = recurrence(text).following(due, time(now));
        assert_eq!(following, Some(time(next)), "{text} at {now}");
    }
}

#[test]
fn a_rate_counts_from_where_it_is() {
    let next = recurrence("rate(90 minutes)").next(time("2026-11-26T03:00:00Z"));
    assert_eq!(next, Some(time("2026-11-26T04:30:00Z")));
    assert_eq!(
        recurrence("rate(1 day)").next(Timestamp(i64::MAX)),
        None,
        "no time is beyond the last one"
    );
}
