//! Files in thirty styles, and what is odd about files.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::cli::ingest::lines::{Lines, Next};
use crate::cli::ingest::push::naive;

/// Collects what is pushed, and checks that pushes number their lines without gaps.
#[derive(Default)]
struct Collect(Vec<(i64, String)>, Vec<(u64, usize)>);

impl Sink for &mut Collect {
    fn push(&mut self, push: Push, _: &Tally) -> Result<(), Stopped> {
        let body = push.body(0..push.len());
        let body = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
        self.0.extend(naive::decode(&body));
        self.1.push((push.first_line, push.len()));
        Ok(())
    }
}

/// 2026-11-21T12:00:00Z.
const WRITTEN: Timestamp = Timestamp(1_795_262_400_000_000_000);

/// Entries, tally, and of each push its first line and how many it has.
type Fed = (Vec<(i64, String)>, Tally, Vec<(u64, usize)>);

fn feed(text: &[u8]) -> Fed {
    let context = Context { zone: 0, modified: WRITTEN, latest: Timestamp(WRITTEN.0 + 1) };
    let mut collect = Collect::default();
    let mut feed = Feed::new(context, YearSpan::default(), 0, "{}".into(), &mut collect);
    let (mut lines, mut reader) = (Lines::default(), text);
    loop {
        match lines.next(&mut reader).unwrap() {
            Next::Line(line) => feed.line(line).unwrap(),
            Next::TooLong => feed.too_long().unwrap(),
            Next::End => break,
        }
    }
    if let Some(Next::Line(line)) = lines.rest() {
        feed.last_line(line).unwrap();
    }
    feed.settle().unwrap();
    let tally = feed.tally().clone();
    (collect.0, tally, collect.1)
}

/// A file: all of its lines arrive, in order among equals, at different times, the same again.
fn check(text: &str, dated: &[(Format, u64)], first: &str) {
    let (entries, tally, _) = feed(text.as_bytes());
    let lines: Vec<&str> = text.lines().collect();
    let arrived: Vec<&String> = entries.iter().map(|(_, line)| line).collect();
    assert_eq!(arrived, lines);
    assert_eq!(tally.dated, dated, "{text}");
    assert_eq!(tally.lines, lines.len() as u64);
    assert_eq!(tally.dated_lines() + tally.continued + tally.led + tally.timeless, tally.lines);
    assert_eq!(Timestamp(entries[0].0).to_string(), first, "{text}");
    let distinct: HashSet<_> = entries.iter().collect();
    assert_eq!(distinct.len(), lines.len());
    assert_eq!(feed(text.as_bytes()).0, entries);
}

#[test]
fn phones_and_desktops() {
    check(
        "03-17 16:13:38.811  1702  2395 D WindowManager: a\r\n03-17 16:13:38.811  1 1 D B: b",
        &[(Format::MonthDay, 2)],
        "2026-03-17T16:13:38.811Z",
    );
    check(
        "20171223-22:15:29:606|Step_LSC|30002312|x 3579\n20171224-1:1:0:9|Step_LSC|3|x 0##7\n",
        &[(Format::Iso, 2)],
        "2017-12-23T22:15:29.606Z",
    );
    check(
        "Jul  1 09:00:55 calvisitor-10 kernel[0]: IOThunderboltSwitch<0>(0x0): x\n\
         \tcontinued\nJul  1 09:01:05 calvisitor-10 com.apple.CDScheduler[43]: Thermal 1\n",
        &[(Format::Syslog, 2)],
        "2026-07-01T09:00:55Z",
    );
    check(
        "[10.30 16:49:06] chrome.exe - proxy.example:5070 close, 0 bytes sent\n\
         [10.30 16:49:06] chrome.exe - proxy.example:5070 close, 0 bytes sent\n",
        &[(Format::MonthDay, 2)],
        "2026-10-30T16:49:06Z",
    );
    check(
        "2016-09-28 04:30:30, Info                  CBS    Loaded Servicing Stack v6.1\n\
         2016-09-28 04:30:31, Info                  CSI    00000001@2016/9/27:20:30:31.455 x\n",
        &[(Format::Iso, 2)],
        "2016-09-28T04:30:30Z",
    );
}

#[test]
fn clusters_and_supercomputers() {
    check(
        "- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS KERNEL INFO x\n\
         APPREAD 1117869872 2005.06.04 R23-M1 2005-06-04-00.24.32.432192 R23 RAS APP FATAL x\n",
        &[(Format::Epoch, 2)],
        "2005-06-03T22:42:50Z",
    );
    check(
        "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: x\n\
         - 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond[2916]: (root) CMD x\n",
        &[(Format::Epoch, 2)],
        "2005-11-09T20:01:01Z",
    );
    check(
        "134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component is x\n\
         44937 gige7 gige temperature 1105776193 1 warning\n",
        &[(Format::Epoch, 2)],
        "2004-02-26T14:12:22Z",
    );
    check(
        "081109 203615 148 INFO dfs.DataNode: Receiving block blk_38865049064139660\n\
         081109 203807 222 INFO dfs.DataNode: PacketResponder 0 terminating\n",
        &[(Format::Digits, 2)],
        "2008-11-09T20:36:15Z",
    );
    check(
        "17/06/09 20:10:40 INFO executor.Backend: Registered signal handlers for [TERM, HUP]\n\
         17/06/09 20:10:40 INFO spark.SecurityManager: Changing view acls to: yarn\n",
        &[(Format::ShortYear, 2)],
        "2017-06-09T20:10:40Z",
    );
    check(
        "2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.MRAppMaster: Created\n\
         java.net.NoRouteToHostException: No Route to Host from 10.0.0.1 at 1445144423\n\
         \tat sun.reflect.NativeConstructorAccessorImpl.newInstance0(Native Method)\n\
         2015-10-18 18:01:48,963 INFO [main] org.apache.hadoop.MRAppMaster: Executing\n",
        &[(Format::Iso, 2)],
        "2015-10-18T18:01:47.978Z",
    );
    check(
        "2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:A@774] - x\n",
        &[(Format::Iso, 1)],
        "2015-07-29T17:41:44.747Z",
    );
    check(
        "nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO nova.x [req-3] y\n\
         nova-compute.log.1.2017-05-16_13:55:31 2017-05-16 00:07:25.935 2931 INFO nova.y [-] z\n",
        &[(Format::Iso, 2)],
        "2017-05-16T00:00:00.008Z",
    );
}

#[test]
fn servers() {
    check(
        "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0\n\
         Jul  9 12:16:51 combo ftpd[23154]: connection from 1.2.3.4 () at Sat Jul  9 12:16:51 2005 \n",
        &[(Format::Syslog, 2)],
        "2026-06-14T15:16:01Z",
    );
    check(
        "Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user webmaster from 173.234.31.186\n\
         Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user webmaster from 173.234.31.186\n",
        &[(Format::Syslog, 2)],
        "2025-12-10T06:55:46Z",
    );
    check(
        "[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok /etc/httpd/x.properties\n\
         [Sun Dec 04 04:47:44 2005] [error] mod_jk child workerEnv in error state 6\n",
        &[(Format::Ctime, 2)],
        "2005-12-04T04:47:44Z",
    );
    check(
        "83.149.9.216 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 7 \"-\" \"M\"\n\
         ::1 - john doe [17/May/2015:10:05:43 +0000] \"GET / HTTP/1.1\" 200 7 \"-\" \"M\"\n",
        &[(Format::DayMonthYear, 2)],
        "2015-05-17T10:05:03Z",
    );
    check(
        "{\"version\":6,\"load_timestamp\":1445680800424,\"timestamp\":1446249499322,\"pid\":1}\n",
        &[(Format::Json, 1)],
        "2015-10-30T23:58:19.322Z",
    );
    check(
        "{\"level\":\"debug\",\"msg\":\"request completed\",\"time\":\"2024-04-16T15:03:32Z\"}\n",
        &[(Format::Json, 1)],
        "2024-04-16T15:03:32Z",
    );
}

#[test]
fn cloud_programs() {
    check(
        "[2024-05-07 10:55:53,434] INFO [Log partition=ingest-3] Rolled (kafka.log.LocalLog)\n",
        &[(Format::Iso, 1)],
        "2024-05-07T10:55:53.434Z",
    );
    check(
        "[2016-12-19 16:31:48,025] ERROR Controller 0 epoch 36 failed (state.change.logger)\n\
         kafka.common.NoReplicaOnlineException: No replica for partition [x,19] is alive.\n\
         \tat kafka.controller.Selector.selectLeader(PartitionLeaderSelector.scala:73)\n",
        &[(Format::Iso, 1)],
        "2016-12-19T16:31:48.025Z",
    );
    check(
        "[2016-12-19 16:31:47,437] INFO [Controller 0]: starting up (kafka.controller)\n",
        &[(Format::Iso, 1)],
        "2016-12-19T16:31:47.437Z",
    );
    check(
        "2024-05-08 15:23:58.902 [DEBUG][606918] felix/sync_client.go 356: Pong sent\n\
         2024-05-08 15:23:58.901 [DEBUG][606918] felix/sync_client.go 347: Ping received\n",
        &[(Format::Iso, 2)],
        "2024-05-08T15:23:58.902Z",
    );
    check(
        "2024-05-07T10:58:13.877Z [INFO]  expiration: revoked lease: lease_id=auth/x\n",
        &[(Format::Iso, 1)],
        "2024-05-07T10:58:13.877Z",
    );
    check(
        "I0507 12:04:17.597069       1 descheduler.go:169] \"Number of evicted pods\" total=0\n",
        &[(Format::Klog, 1)],
        "2026-05-07T12:04:17.597069Z",
    );
    for line in [
        "ts=2024-04-16T15:10:44.103611953Z caller=f.go:181 level=info msg=\"received event\"\n",
        "ts=2024-04-16T15:10:44.103611953Z caller=http.go:194 level=debug orgID=1218 msg=x\n",
        "ts=2024-04-16T15:10:44.103611953Z caller=http.go:194 traceID=1ee220e024eb5b0a\n",
    ] {
        check(line, &[(Format::Logfmt, 1)], "2024-04-16T15:10:44.103611953Z");
    }
    check(
        "XMT: Solicit on eth0, interval 117950ms.\n\
         I0507 11:59:44.523502    4727 kubelet_getters.go:187] \"Pod status\" status=\"Running\"\n\
         AVC apparmor=\"DENIED\" operation=\"ptrace\" pid=36674 comm=\"pidof\"\n\
         time=\"2024-05-07T11:59:43.954655670Z\" level=info msg=\"StartContainer\"\n\
         2024-05-07T11:59:43.499167Z INFO ExtHandler Downloading agent manifest\n",
        &[(Format::Klog, 1), (Format::Logfmt, 1), (Format::Iso, 1)],
        "2026-05-07T11:59:44.523502Z",
    );
}

fn check_times(text: &str, expected: &[(i64, &str)]) {
    let (entries, ..) = feed(text.as_bytes());
    let entries: Vec<_> = entries.iter().map(|(at, line)| (*at, line.as_str())).collect();
    assert_eq!(entries, expected);
}

#[test]
fn lines_of_one_time_get_successive_nanoseconds() {
    const T: i64 = 1_700_000_000_000_000_000;
    check_times(
        "1700000000 a\n1700000000 a\n  more\n1700000001 b\n1700000000 a\n",
        &[
            (T, "1700000000 a"),
            (T + 1, "1700000000 a"),
            (T + 2, "  more"),
            (T + 1_000_000_000, "1700000001 b"),
            (T + 3, "1700000000 a"),
        ],
    );
}

#[test]
fn lines_before_the_first_date_take_it() {
    const T: i64 = 1_700_000_000_000_000_000;
    check_times("# x\n\n1700000000 a\n", &[(T, "# x"), (T + 1, ""), (T + 2, "1700000000 a")]);
    let (_, tally, _) = feed(b"# x\n\n1700000000 a\n");
    assert_eq!((tally.led, tally.dated_lines()), (2, 1));
}

#[test]
fn a_file_without_dates_is_as_old_as_it_is() {
    check_times("a\na", &[(WRITTEN.0, "a"), (WRITTEN.0 + 1, "a")]);
    let (_, tally, _) = feed(b"a\na");
    assert!(tally.unterminated);
    assert_eq!(tally.timeless, 2);
    let many = "no date\n".repeat(100_000);
    let (entries, tally, _) = feed(many.as_bytes());
    assert_eq!((entries.len(), tally.timeless + tally.continued), (100_000, 100_000));
    assert_eq!(entries.last().unwrap().0, WRITTEN.0 + 99_999);
}

#[test]
fn dates_that_cannot_be_do_not_lose_the_line() {
    const T: i64 = 1_700_000_000_000_000_000;
    let text = "1700000000 a\n2126-01-01 00:00:00 b\n1970-01-01 00:00:00 c\n";
    check_times(
        text,
        &[(T, "1700000000 a"), (T + 1, "2126-01-01 00:00:00 b"), (T + 2, "1970-01-01 00:00:00 c")],
    );
    assert_eq!(feed(text.as_bytes()).1.implausible, 2);
}

#[test]
fn bytes_that_are_no_text() {
    let (entries, tally, _) = feed(b"\xef\xbb\xbf1700000000 a\n\xff\0\xfe\r\n");
    let lines: Vec<&str> = entries.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines, ["1700000000 a", "\u{fffd}\0\u{fffd}"]);
    assert_eq!(tally.mended, 1);
}

#[test]
fn pushes_number_their_lines() {
    let long = "y".repeat(100_000);
    let mut text = format!("1700000000 a\nb\n{long}\nc\n").into_bytes();
    text.extend(vec![b'z'; 20 << 20]);
    text.extend_from_slice(b"\nd\n");
    let (entries, tally, pushes) = feed(&text);
    assert_eq!(pushes, [(1, 2), (3, 1), (4, 1), (6, 1)]);
    assert_eq!((entries.len(), tally.lines, tally.too_long), (5, 6, 1));
}

proptest! {
    /// Every line is kept, also of the most repetitive file, and a file that has grown gives its
    /// old lines the same times.
    #[test]
    fn lines_are_kept_and_times_are_stable(
        seconds in prop::collection::vec(prop::option::of(0u8..4), 1..60), cut in 0usize..60
    ) {
        let line = |second: &Option<u8>| match second {
            Some(second) => format!("170000000{second} x\n"),
            None => "x\n".to_owned(),
        };
        // It begins with a date: lines before the first one wait for it.
        let lines: Vec<String> =
            std::iter::once("1700000000 x\n".to_owned()).chain(seconds.iter().map(line)).collect();
        let (entries, ..) = feed(lines.concat().as_bytes());
        let distinct: HashSet<_> = entries.iter().collect();
        prop_assert_eq!(distinct.len(), lines.len());
        let cut = cut.clamp(1, lines.len());
        let (before, ..) = feed(lines[..cut].concat().as_bytes());
        prop_assert_eq!(&before[..], &entries[..cut]);
    }
}
