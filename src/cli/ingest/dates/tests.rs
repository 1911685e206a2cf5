//! Every format by a table: line, then the nanoseconds that it says.

use super::*;

const NOON_2026: i64 = 1_795_262_400; // 2026-11-21T12:00:00Z

fn context() -> Context {
    let modified = Timestamp::from_secs(NOON_2026);
    Context { zone: 0, modified, latest: Timestamp(modified.nanos() + 600 * SECOND) }
}

fn dater() -> Dater {
    Dater::new(context(), YearSpan::default())
}

fn nanos(rfc3339: &str) -> Timestamp {
    let time = chrono::DateTime::parse_from_rfc3339(rfc3339).unwrap();
    Timestamp(time.timestamp_nanos_opt().unwrap())
}

/// The first line of a file whose date is `expected`, found as `format`.
fn check(line: &str, format: Format, expected: &str) {
    let mut dater = dater();
    for round in 0..2 {
        let found = dater.date(line.as_bytes());
        assert_eq!(found, Dating::Own(nanos(expected), format), "{line} (round {round})");
    }
}

fn check_undated(line: &str) {
    assert_eq!(dater().date(line.as_bytes()), Dating::Undated, "{line}");
}

/// A whole file: the date of each line, `-` for none.
fn check_file(lines: &[(&str, &str)]) {
    let mut dater = dater();
    for (line, expected) in lines {
        let found = match dater.date(line.as_bytes()) {
            Dating::Own(at, _) => at.to_string(),
            Dating::Undated => "-".to_owned(),
            Dating::Implausible => "implausible".to_owned(),
        };
        assert_eq!(&found, expected, "{line}");
    }
}

#[test]
fn iso() {
    for (line, expected) in [
        ("2024-05-07T10:58:13.877Z [INFO]  core: unsealed", "2024-05-07T10:58:13.877Z"),
        ("2024-05-07T10:58:13.877123456Z x", "2024-05-07T10:58:13.877123456Z"),
        ("2024-05-07T10:58:13.8771234569Z x", "2024-05-07T10:58:13.877123456Z"),
        ("2024-05-07T10:58:13+02:00 x", "2024-05-07T08:58:13Z"),
        ("2024-05-07T10:58:13-0730 x", "2024-05-07T18:28:13Z"),
        ("2024-05-07 10:58:13+02 x", "2024-05-07T08:58:13Z"),
        ("2024-05-07 10:58:13 +0200 x", "2024-05-07T08:58:13Z"),
        ("2024-05-07 10:58:13.123 UTC [77] LOG:  ready", "2024-05-07T10:58:13.123Z"),
        ("2024-05-07 10:58:13 -12 degrees", "2024-05-07T10:58:13Z"),
        ("2015-10-18 18:01:47,978 INFO [main] a.b.C: up", "2015-10-18T18:01:47.978Z"),
        ("2015-07-29 17:41:44,747 - INFO  [main:A@1] - x", "2015-07-29T17:41:44.747Z"),
        ("2016-09-28 04:30:30, Info                  CBS    x", "2016-09-28T04:30:30Z"),
        ("[2024-05-07 10:55:53,434] INFO [Log p=1] x (k.L)", "2024-05-07T10:55:53.434Z"),
        ("2024/05/07 10:58:13 [error] 7#7: *1 x", "2024-05-07T10:58:13Z"),
        ("2005-06-03-15.42.50.675872 R02 x", "2005-06-03T15:42:50.675872Z"),
        ("2005.06.03 15:42:50 x", "2005-06-03T15:42:50Z"),
        ("20171223-22:15:29:606|Step|1|x", "2017-12-23T22:15:29.606Z"),
        ("20171224-1:1:0:35|Step|1|x", "2017-12-24T01:01:00.035Z"),
        ("20171223T221529Z x", "2017-12-23T22:15:29Z"),
        ("20171223221529 x", "2017-12-23T22:15:29Z"),
        ("2024-05-07 10:58 x", "2024-05-07T10:58:00Z"),
        ("2016-12-31T23:59:60Z leap", "2017-01-01T00:00:00Z"),
        ("<34>1 2003-10-11T22:14:15.003Z host su - ID47 - x", "2003-10-11T22:14:15.003Z"),
        ("Tue 2024-05-07 11:59:44 UTC host unit[1]: x", "2024-05-07T11:59:44Z"),
        ("I, [2024-01-02T15:04:05.123456 #1234]  INFO -- : x", "2024-01-02T15:04:05.123456Z"),
        (
            "a.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 1 INFO x",
            "2017-05-16T00:00:00.008Z",
        ),
        ("\"2024-01-02 15:04:05\",\"x\"", "2024-01-02T15:04:05Z"),
    ] {
        check(line, Format::Iso, expected);
    }
}

#[test]
fn other_dates_with_a_year() {
    for (line, format, expected) in [
        ("17/06/09 20:10:40 INFO a.B: x", Format::ShortYear, "2017-06-09T20:10:40Z"),
        ("081109 203615 148 INFO dfs.A: x", Format::Digits, "2008-11-09T20:36:15Z"),
        (
            "1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 1",
            Format::DayMonthYear,
            "2000-10-10T20:55:36Z",
        ),
        ("1:M 02 Jan 2024 15:04:05.123 * Ready", Format::DayMonthYear, "2024-01-02T15:04:05.123Z"),
        ("Mon, 02 Jan 2006 15:04:05 -0700 x", Format::DayMonthYear, "2006-01-02T22:04:05Z"),
        (
            "18-Oct-2015 18:01:47.123 INFO [main] x",
            Format::DayMonthYear,
            "2015-10-18T18:01:47.123Z",
        ),
        ("18.10.2015 18:01:47 x", Format::DayMonthYear, "2015-10-18T18:01:47Z"),
        ("[Sun Dec 04 04:47:44 2005] [notice] x", Format::Ctime, "2005-12-04T04:47:44Z"),
        ("[Sun Dec  4 04:47:44.123456 2005] [x:y] x", Format::Ctime, "2005-12-04T04:47:44.123456Z"),
        ("Sun Dec  4 04:47:44 UTC 2005 x", Format::Ctime, "2005-12-04T04:47:44Z"),
        ("Oct 18, 2015 6:01:47 PM a.B c", Format::Ctime, "2015-10-18T18:01:47Z"),
        ("Oct 18 2015 12:01:47 AM: %ASA-6", Format::Ctime, "2015-10-18T00:01:47Z"),
        ("I20240102 15:04:05.123 1 a.cc:1] x", Format::Klog, "2024-01-02T15:04:05.123Z"),
    ] {
        check(line, format, expected);
    }
}

#[test]
fn dates_without_a_year_are_not_in_the_future() {
    for (line, format, expected) in [
        ("Jun 14 15:16:01 combo sshd[1]: x", Format::Syslog, "2026-06-14T15:16:01Z"),
        ("Jul  1 09:00:55 mac kernel[0]: x", Format::Syslog, "2026-07-01T09:00:55Z"),
        ("Dec 10 06:55:46 LabSZ sshd[1]: x", Format::Syslog, "2025-12-10T06:55:46Z"),
        ("<34>Oct 11 22:14:15 mymachine su: x", Format::Syslog, "2026-10-11T22:14:15Z"),
        ("May 07 11:59:44.499167 host x[1]: x", Format::Syslog, "2026-05-07T11:59:44.499167Z"),
        ("Jun 14 15:16:01 2005 x", Format::Syslog, "2026-06-14T15:16:01Z"),
        ("Feb 29 00:00:00 h x: x", Format::Syslog, "2026-03-01T00:00:00Z"),
        ("03-17 16:13:38.811  1702  2395 D W: x", Format::MonthDay, "2026-03-17T16:13:38.811Z"),
        ("[10.30 16:49:06] chrome.exe - x", Format::MonthDay, "2026-10-30T16:49:06Z"),
        ("I0102 15:04:05.000001    7 a.go:1] x", Format::Klog, "2026-01-02T15:04:05.000001Z"),
        ("E1231 15:04:05.000001    7 a.go:1] x", Format::Klog, "2025-12-31T15:04:05.000001Z"),
    ] {
        check(line, format, expected);
    }
}

#[test]
fn epochs() {
    for (line, expected) in [
        ("1700000000 x", "2023-11-14T22:13:20Z"),
        ("1700000000.25 x", "2023-11-14T22:13:20.25Z"),
        ("1700000000123 x", "2023-11-14T22:13:20.123Z"),
        ("1700000000123456 x", "2023-11-14T22:13:20.123456Z"),
        ("1700000000123456789 x", "2023-11-14T22:13:20.123456789Z"),
        ("[1700000000] EXTERNAL COMMAND: x", "2023-11-14T22:13:20Z"),
        ("- 1117838570 2005.06.03 R02 2005-06-03-15.42.50.675872 R02 x", "2005-06-03T22:42:50Z"),
        ("- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 x", "2005-11-09T20:01:01Z"),
        ("134681 node-246 unix.hw state 1077804742 1 x", "2004-02-26T14:12:22Z"),
    ] {
        check(line, Format::Epoch, expected);
    }
    check_undated("9999999999 in the future");
    check_undated("99999999999999999999999999 too long");
    check_undated("9999999999999999999 wraps an i64");
}

#[test]
fn keys() {
    for (line, format, expected) in [
        (r#"{"a":1,"time":"2024-04-16T15:03:32Z","b":2}"#, Format::Json, "2024-04-16T15:03:32Z"),
        (
            r#"{"load_timestamp":1445680800424,"timestamp":1446249499322}"#,
            Format::Json,
            "2015-10-30T23:58:19.322Z",
        ),
        (r#"{"ts":1700000000.123,"msg":"x"}"#, Format::Json, "2023-11-14T22:13:20.123Z"),
        (
            r#"{"m":"\"time\":\"2001-01-01T00:00:00Z\"","in":{"time":"2002-01-01T00:00:00Z"},"Time":"2003-01-01T00:00:00Z"}"#,
            Format::Json,
            "2003-01-01T00:00:00Z",
        ),
        (r#"{"t":5,"date":"2003-01-01 00:00:00"}"#, Format::Json, "2003-01-01T00:00:00Z"),
        (
            r#"{"t":{"$date":"2020-05-01T15:16:17.180+00:00"},"s":"I"}"#,
            Format::Json,
            "2020-05-01T15:16:17.18Z",
        ),
        (
            r#"{ "__REALTIME_TIMESTAMP" : "1446249499322123", "MESSAGE" : "x" }"#,
            Format::Json,
            "2015-10-30T23:58:19.322123Z",
        ),
        (r#"pod-7 app {"ts":1700000000,"msg":"x"}"#, Format::Json, "2023-11-14T22:13:20Z"),
        (
            "ts=2024-05-02T12:17:25.606619951Z caller=h.go:1 msg=\"at 2001-01-01 00:00:00\"",
            Format::Logfmt,
            "2024-05-02T12:17:25.606619951Z",
        ),
        ("level=info time=\"2024-05-07T11:59:43Z\" msg=x", Format::Logfmt, "2024-05-07T11:59:43Z"),
        ("level=info t=5 timestamp=1700000000 x", Format::Logfmt, "2023-11-14T22:13:20Z"),
        ("__REALTIME_TIMESTAMP=1446249499322123", Format::Logfmt, "2015-10-30T23:58:19.322123Z"),
        (
            "type=SYSCALL msg=audit(1364481363.243:24287): x",
            Format::Logfmt,
            "2013-03-28T14:36:03.243Z",
        ),
    ] {
        check(line, format, expected);
    }
    check_undated(r#"{"in":{"time":"2002-01-01T00:00:00Z"}}"#);
    check_undated(r#"{"time":"#);
    check_undated(r#"{"time":"\"#);
    check_undated("{");
    check_undated("time=");
}

#[test]
fn no_dates() {
    for line in [
        "",
        " ",
        "\tat a.b.C.d(E.java:1)",
        "java.lang.IllegalStateException: x",
        "[   12.345678] usb 1-1: new device",
        "2024-13-07T10:58:13Z",
        "2024-02-30T10:58:13Z",
        "2024-05-07T24:58:13Z",
        "2024-05-07",
        "10.251.73.220:50010 is added",
        "1.2.3.4 5.6.7.8",
        "Maybe 14 15:16:01",
        "Jun 34 15:16:01",
        "03/04/2024 10:00:00 is read differently in two countries",
        "XMT: Solicit on eth0, interval 117950ms.",
        "I0230x 10",
    ] {
        check_undated(line);
    }
}

#[test]
fn dates_that_cannot_be() {
    check_file(&[
        ("1970-01-01 00:00:07 booting", "implausible"),
        ("2026-11-21 11:00:00 clock set", "2026-11-21T11:00:00Z"),
        ("2026-11-21 12:30:00 in the future", "implausible"),
        ("2126-11-21 12:30:00 in the future", "implausible"),
    ]);
}

#[test]
fn continuations_are_not_dated_by_what_they_quote() {
    check_file(&[
        ("[2016-12-19 16:31:48,025] ERROR x", "2016-12-19T16:31:48.025Z"),
        ("k.NoReplicaException: none at 2001-01-01 00:00:00", "-"),
        ("\tat k.A 1117838570 (A.scala:73)", "-"),
        ("Jan 01 00:00:00 is at the beginning, though", "2026-01-01T00:00:00Z"),
        ("[2016-12-19 16:31:48,026] ERROR x", "2016-12-19T16:31:48.026Z"),
    ]);
}

#[test]
fn a_number_yields_to_a_date() {
    check_file(&[
        ("started process 1117838570", "2005-06-03T22:42:50Z"),
        ("process 1117838570 said at 2016-12-19 16:31:48 x", "2016-12-19T16:31:48Z"),
        ("2016-12-19 16:31:48 x", "2016-12-19T16:31:48Z"),
        ("2016-12-19 16:31:49 x", "2016-12-19T16:31:49Z"),
        ("restarted process 1117838570", "-"),
    ]);
}

#[test]
fn formats_may_alternate() {
    check_file(&[
        ("I0507 11:59:44.523502    1 a.go:1] x", "2026-05-07T11:59:44.523502Z"),
        ("XMT: Solicit on eth0", "-"),
        ("time=\"2024-05-07T11:59:43Z\" level=info", "2024-05-07T11:59:43Z"),
        ("2024-05-07T11:59:43.499167Z INFO x", "2024-05-07T11:59:43.499167Z"),
        ("I0507 11:59:44.523503    1 a.go:1] x", "2026-05-07T11:59:44.523503Z"),
        ("{\"ts\":\"2024-05-07T11:59:44Z\"}", "2024-05-07T11:59:44Z"),
    ]);
}

#[test]
fn the_year_turns_inside_a_file() {
    check_file(&[
        ("Dec 31 23:59:58 h a: x", "2025-12-31T23:59:58Z"),
        ("Dec 31 23:59:59 h a: x", "2025-12-31T23:59:59Z"),
        ("Jan  1 00:00:00 h a: x", "2026-01-01T00:00:00Z"),
        ("Dec 31 23:59:59 h a: late", "2025-12-31T23:59:59Z"),
        ("Jan  1 00:00:01 h a: x", "2026-01-01T00:00:01Z"),
    ]);
}

#[test]
fn a_file_that_spans_years_ends_before_it_was_written() {
    let lines = ["Oct 30 10:00:00 h a: x", "Jul 26 10:00:00 h a: x", "Jan  1 10:00:00 h a: x"];
    let mut span = YearSpan::default();
    let mut first = dater();
    for line in lines {
        first.survey(line.as_bytes(), &mut span);
    }
    let mut dater = Dater::new(context(), span);
    let dates = lines.map(|line| match dater.date(line.as_bytes()) {
        Dating::Own(at, _) => at.to_string(),
        other => format!("{other:?}"),
    });
    assert_eq!(dates, ["2024-10-30T10:00:00Z", "2025-07-26T10:00:00Z", "2026-01-01T10:00:00Z"]);
}

#[test]
fn the_year_is_that_of_other_lines() {
    let lines = [
        "I0107 11:59:44.523502    1 a.go:1] x",
        "time=\"2023-12-30T11:59:43Z\" level=info",
        "I1229 11:59:44.523502    1 a.go:1] x",
    ];
    let mut span = YearSpan::default();
    let mut first = dater();
    for line in lines {
        first.survey(line.as_bytes(), &mut span);
    }
    let mut dater = Dater::new(context(), span);
    let years = lines.map(|line| match dater.date(line.as_bytes()) {
        Dating::Own(at, _) => at.to_string()[..4].to_owned(),
        other => format!("{other:?}"),
    });
    assert_eq!(years, ["2024", "2023", "2023"]);
}

#[test]
fn the_newest_line_may_come_first() {
    check_file(&[
        ("Jan  1 00:00:00 h a: x", "2026-01-01T00:00:00Z"),
        ("Dec 31 23:59:59 h a: x", "2025-12-31T23:59:59Z"),
        ("Dec 31 23:59:58 h a: x", "2025-12-31T23:59:58Z"),
    ]);
}

#[test]
fn zoneless_times_are_of_the_given_zone() {
    let east = Context { zone: 2 * 3600 * SECOND, ..context() };
    let mut dater = Dater::new(east, YearSpan::default());
    for (line, expected) in [
        ("2024-05-07 10:00:00 x", "2024-05-07T08:00:00Z"),
        ("2024-05-07 10:00:00Z x", "2024-05-07T10:00:00Z"),
        ("Nov 21 14:05:00 h a: x", "2026-11-21T12:05:00Z"),
    ] {
        let Dating::Own(at, _) = dater.date(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(at, nanos(expected), "{line}");
    }
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Dates that are nearly right are where an index or a sum would overflow.
        #[test]
        fn no_line_panics(lines in prop::collection::vec(
            "[0-9A-Za-z:/., \\-+\\[\\]{}\"=\\\\TZ]{0,60}", 1..20
        )) {
            let mut dater = dater();
            for line in &lines {
                if let Dating::Own(at, _) = dater.date(line.as_bytes()) {
                    prop_assert!(at >= EARLIEST && at <= context().latest);
                }
            }
        }

        #[test]
        fn mutated_dates_do_not_panic(
            pick in 0usize..6, at in 0usize..40, byte in any::<u8>(), cut in 0usize..60
        ) {
            let mut line = [
                "2024-05-07T10:58:13.877123456+02:00 x",
                "{\"time\":\"2024-04-16T15:03:32Z\"}",
                "[Sun Dec 04 04:47:44.123 2005] x",
                "1700000000123456789 x",
                "ts=1700000000.123 msg=audit(1364481363.243:24287)",
                "Oct 18, 2015 6:01:47 PM x",
            ][pick].as_bytes().to_vec();
            if let Some(slot) = line.get_mut(at) {
                *slot = byte;
            }
            line.truncate(cut);
            dater().date(&line);
        }

        #[test]
        fn rfc3339_round_trips(nanos in 315_532_800_000_000_000i64..1_795_262_400_000_000_000) {
            let line = format!("{} x", Timestamp(nanos));
            prop_assert_eq!(
                dater().date(line.as_bytes()),
                Dating::Own(Timestamp(nanos), Format::Iso)
            );
        }
    }
}
