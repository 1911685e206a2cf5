//! Twelve minutes in the life of a shop, as its programs would log them.
//!
//! In: when it ends, and a seed. Out: streams of entries, the same for the same arguments. Five
//! programs on nine hosts, each in a format of its own, tied together by trace ids. In the middle
//! the database runs out of memory, is killed, and comes back: latency, errors and retries follow
//! from that alone, so that there is something to find.

use std::time::Duration;

use crate::model::Timestamp;

const MINUTES: u64 = 12;
const REQUESTS_PER_SECOND: u64 = 18;
/// The database is slow from here, in seconds, dead from `DEAD`, back at `BACK`.
const SLOW: u64 = 6 * 60 + 5;
const DEAD: u64 = 7 * 60;
const BACK: u64 = 8 * 60 + 35;

const PATHS: [(&str, &str, bool); 6] = [
    ("GET", "/api/products", false),
    ("GET", "/api/products/4711", false),
    ("POST", "/api/cart", true),
    ("GET", "/api/cart", true),
    ("POST", "/api/checkout", true),
    ("GET", "/healthz", false),
];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
    "ShopApp/7.3.1 (Android 16)",
];

/// A label set and what was logged under it, by time.
pub(super) struct LogStream {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) entries: Vec<(Timestamp, String)>,
}

/// What happened.
pub(super) struct Story {
    pub(super) streams: Vec<LogStream>,
    /// When it began.
    pub(super) start: Timestamp,
    /// A checkout that failed.
    pub(super) failed_trace: String,
}

/// Tells the story that ends at `end`.
pub(super) fn tell(end: Timestamp, seed: u64) -> Story {
    let start = end.before(Duration::from_secs(MINUTES * 60));
    let mut teller = Teller { random: Random(seed), start, streams: Vec::new(), failed: None };
    for second in 0..MINUTES * 60 {
        teller.second(second);
    }
    let mut streams = teller.streams;
    for stream in &mut streams {
        stream.entries.sort_by_key(|(at, _)| *at);
    }
    let failed_trace = teller.failed.expect("checkouts fail while the database is dead");
    Story { streams, start, failed_trace }
}

struct Teller {
    random: Random,
    start: Timestamp,
    streams: Vec<LogStream>,
    failed: Option<String>,
}

/// A moment of the story.
#[derive(Clone, Copy)]
struct Moment(u64);

impl Moment {
    fn later(self, millis: u64) -> Moment {
        Moment(self.0 + millis * 1000)
    }

    fn second(self) -> u64 {
        self.0 / 1_000_000
    }
}

/// How the database is.
#[derive(Clone, Copy, PartialEq)]
enum Database {
    Well,
    Slow,
    Dead,
}

fn database(second: u64) -> Database {
    match second {
        SLOW..DEAD => Database::Slow,
        DEAD..BACK => Database::Dead,
        _ => Database::Well,
    }
}

impl Teller {
    fn second(&mut self, second: u64) {
        for _ in 0..REQUESTS_PER_SECOND {
            let moment = Moment(second * 1_000_000 + self.random.below(1_000_000));
            self.request(moment);
        }
        self.machines(second);
    }

    fn log(&mut self, app: &'static str, host: String, moment: Moment, line: String) {
        let at = self.start.after(Duration::from_micros(moment.0));
        let known = self
            .streams
            .iter_mut()
            .find(|stream| stream.labels[0].1 == app && stream.labels[1].1 == host);
        match known {
            Some(stream) => stream.entries.push((at, line)),
            None => self.streams.push(LogStream {
                labels: vec![("app", app.to_owned()), ("host", host)],
                entries: vec![(at, line)],
            }),
        }
    }

    /// `format` is one of `chrono`'s.
    fn clock(&self, moment: Moment, format: &str) -> String {
        let at = self.start.after(Duration::from_micros(moment.0));
        chrono::DateTime::from_timestamp_nanos(at.0).format(format).to_string()
    }

    /// A request from the edge through the shop to the database, and back.
    fn request(&mut self, moment: Moment) {
        let (method, path, needs_database) = PATHS[self.random.skewed(PATHS.len())];
        let trace = format!("{:016x}", self.random.next());
        let base = 4 + self.random.below(40);
        let (status, millis) = match database(moment.second()) {
            Database::Dead if needs_database => (503, 5000 + self.random.below(40)),
            Database::Slow if needs_database && self.random.below(9) == 0 => {
                (504, 3000 + self.random.below(900))
            }
            Database::Slow if needs_database => (200, base * 20 + self.random.below(800)),
            _ if self.random.below(90) == 0 => (404, base),
            _ => (200, base),
        };
        self.nginx(moment.later(millis + 1), (method, path), &trace, (status, millis + 1));
        if path == "/healthz" {
            return;
        }
        self.checkout(moment.later(millis), (method, path), &trace, (status, millis));
        if needs_database {
            self.inventory(moment.later(millis), &trace, status);
        }
        if path == "/api/checkout" {
            self.payment(moment.later(millis + 15), &trace, status);
            if status == 503 && self.random.below(8) == 0 {
                self.failed = Some(trace);
            }
        }
    }

    fn nginx(
        &mut self,
        at: Moment,
        (method, path): (&str, &str),
        trace: &str,
        (status, millis): (u16, u64),
    ) {
        let host = format!("edge-{}", 1 + self.random.below(2));
        let client = format!("203.0.113.{}", self.random.below(254));
        let agent = AGENTS[self.random.skewed(AGENTS.len())];
        let bytes = if status == 200 { 180 + self.random.below(9000) } else { 162 };
        let time = self.clock(at, "%d/%b/%Y:%H:%M:%S +0000");
        let seconds = millis as f64 / 1000.0;
        let line = format!(
            "{client} - - [{time}] \"{method} {path} HTTP/1.1\" {status} {bytes} \"-\" \"{agent}\" \
             rt={seconds:.3} trace={trace}"
        );
        self.log("nginx", host, at, line);
    }

    fn checkout(
        &mut self,
        at: Moment,
        (method, path): (&str, &str),
        trace: &str,
        (status, millis): (u16, u64),
    ) {
        let host = format!("api-{}", 1 + self.random.below(3));
        let (level, message) = match status {
            503 => ("error", "no connection to inventory database"),
            504 => ("error", "inventory did not answer in time"),
            404 => ("warn", "no such product"),
            _ if millis > 500 => ("warn", "slow request"),
            _ => ("info", "request done"),
        };
        let time = self.clock(at, "%Y-%m-%dT%H:%M:%S%.6fZ");
        let user = self.random.below(5000);
        let rest = format!(
            r#""method":"{method}","path":"{path}","status":{status},"latency_ms":{millis},"user":{user}"#
        );
        let line = format!(
            r#"{{"ts":"{time}","level":"{level}","msg":"{message}","trace_id":"{trace}",{rest}}}"#
        );
        self.log("checkout", host, at, line);
    }

    fn payment(&mut self, at: Moment, trace: &str, status: u16) {
        let host = format!("worker-{}", 1 + self.random.below(2));
        let time = self.clock(at, "%Y-%m-%dT%H:%M:%S%.3fZ");
        let amount = self.random.below(30_000);
        let line = match status {
            200 => format!(
                "ts={time} level=info msg=\"payment captured\" trace={trace} amount={}.{:02} \
                 duration={}ms",
                amount / 100,
                amount % 100,
                20 + self.random.below(90)
            ),
            _ => format!(
                "ts={time} level=warn msg=\"order not confirmed, payment put back\" trace={trace} \
                 attempt={} retry_in=30s",
                1 + self.random.below(3)
            ),
        };
        self.log("payments", host, at, line);
    }

    fn inventory(&mut self, at: Moment, trace: &str, status: u16) {
        let host = format!("java-{}", 1 + self.random.below(2));
        let time = self.clock(at, "%Y-%m-%d %H:%M:%S,%3f");
        let thread = 1 + self.random.below(16);
        if status == 200 {
            let line = format!(
                "{time} INFO  [http-{thread}] shop.inventory.Stock - reserved {} items \
                 trace={trace}",
                1 + self.random.below(5)
            );
            return self.log("inventory", host, at, line);
        }
        let line = format!(
            "{time} ERROR [http-{thread}] shop.inventory.Stock - reservation failed trace={trace}\n\
             java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, \
             request timed out after {status}0ms\n\
             \tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:696)\n\
             \tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:181)\n\
             \tat shop.inventory.Stock.reserve(Stock.java:{})\n\
             Caused by: org.postgresql.util.PSQLException: Connection to db-1:5432 refused",
            80 + self.random.below(20)
        );
        self.log("inventory", host, at, line);
    }

    /// What the machines say for themselves.
    fn machines(&mut self, second: u64) {
        let at = Moment(second * 1_000_000 + self.random.below(900_000));
        match second {
            SLOW => {
                let text = "kernel: [81423.118] postgres: page allocation stalls for 10170ms";
                self.syslog("db-1", at, text);
            }
            DEAD => {
                let kernel = "kernel: [81478.402] Out of memory: Killed process 2217 (postgres) \
                              total-vm:19184312kB, anon-rss:15903044kB";
                let systemd = "systemd[1]: postgresql.service: Main process exited, code=killed, \
                               status=9/KILL";
                self.syslog("db-1", at, kernel);
                self.syslog("db-1", at.later(3), systemd);
            }
            BACK => {
                self.syslog("db-1", at, "systemd[1]: Started PostgreSQL RDBMS.");
                self.postgres(at.later(40), "LOG:  database system is ready to accept connections");
            }
            _ => {}
        }
        if database(second) == Database::Slow && second.is_multiple_of(4) {
            let micros = 1_200_000 + self.random.below(2_500_000);
            let text = format!(
                "LOG:  duration: {}.{:03} ms  statement: SELECT * FROM stock JOIN reservations",
                micros / 1000,
                micros % 1000
            );
            self.postgres(at, &text);
        }
        if database(second) == Database::Well && second.is_multiple_of(30) {
            self.postgres(at, "LOG:  checkpoint complete: wrote 1277 buffers (7.8%)");
        }
        if second.is_multiple_of(60) {
            self.syslog("edge-1", at, "CRON[9120]: (root) CMD (/usr/lib/certbot/renew --quiet)");
        }
        if self.random.below(20) == 0 {
            let (process, host) = (4000 + self.random.below(900), self.random.below(254));
            let text = format!(
                "sshd[{process}]: Failed password for invalid user admin from 198.51.100.{host} \
                 port {} ssh2",
                40_000 + self.random.below(1000)
            );
            self.syslog("edge-2", at, &text);
        }
    }

    fn postgres(&mut self, at: Moment, text: &str) {
        let line = format!("{} UTC [2217] {text}", self.clock(at, "%Y-%m-%d %H:%M:%S%.3f"));
        self.log("postgres", "db-1".to_owned(), at, line);
    }

    fn syslog(&mut self, host: &str, at: Moment, text: &str) {
        let line = format!("{} {host} {text}", self.clock(at, "%b %e %H:%M:%S"));
        self.log("syslog", host.to_owned(), at, line);
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An index, the first ones more often.
    fn skewed(&mut self, len: usize) -> usize {
        let len = len as u64;
        let index = self.below(len).min(self.below(len));
        usize::try_from(index).expect("it is less than a usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_can_be_told_again() {
        let end = Timestamp::from_secs(1_795_262_400);
        let (one, two) = (tell(end, 1), tell(end, 1));
        let text = |story: &Story| {
            let lines = story.streams.iter().flat_map(|stream| stream.entries.clone());
            lines.collect::<Vec<_>>()
        };
        assert_eq!(text(&one), text(&two));
        assert_ne!(text(&one), text(&tell(end, 2)));
        assert!(text(&one).len() > 20_000);
        let of_trace = text(&one).into_iter().filter(|(_, line)| line.contains(&one.failed_trace));
        assert_eq!(of_trace.count(), 4);
    }
}
