//! What happened in the runs: a simulation in which something never happens says nothing of it.

use bytes::Bytes;
use drave::shard::{Command, Refusal, Reply};

#[derive(Default, Debug)]
pub(crate) struct Coverage {
    pub(crate) crashes: usize,
    pub(crate) snapshots: usize,
    pub(crate) replayed: usize,
    pub(crate) erased: usize,
    pub(crate) swept: usize,
    pub(crate) objects: usize,
    replies: [[usize; 7]; 11],
}

const KINDS: [&str; 11] = [
    "blank",
    "garbage",
    "append",
    "seal",
    "flush",
    "replace",
    "retire",
    "forget",
    "delete",
    "cancel-delete",
    "fence",
];
const REPLIES: [&str; 7] =
    ["done", "stale", "undecodable", "bad batch", "not retired", "not neighbours", "id taken"];

impl Coverage {
    pub(crate) fn saw(&mut self, command: &Bytes, reply: &Reply) {
        let kind = match Command::decode(command) {
            Err(_) if command.is_empty() => 0,
            Err(_) => 1,
            Ok(Command::Append { .. }) => 2,
            Ok(Command::Seal) => 3,
            Ok(Command::Flush { .. }) => 4,
            Ok(Command::Replace { .. }) => 5,
            Ok(Command::Retire { .. }) => 6,
            Ok(Command::Forget { .. }) => 7,
            Ok(Command::Delete { .. }) => 8,
            Ok(Command::CancelDelete { .. }) => 9,
            Ok(Command::Fence) => 10,
        };
        let reply = match reply {
            Reply::Done { .. } => 0,
            Reply::Stale => 1,
            Reply::Refused(Refusal::Undecodable) => 2,
            Reply::Refused(Refusal::BadBatch) => 3,
            Reply::Refused(Refusal::NotRetired) => 4,
            Reply::Refused(Refusal::NotNeighbours) => 5,
            Reply::Refused(Refusal::IdTaken) => 6,
        };
        self.replies[kind][reply] += 1;
    }

    /// How often somebody put a fence.
    pub(crate) fn fences(&self) -> usize {
        self.replies[10].iter().sum()
    }

    pub(crate) fn add(&mut self, other: &Coverage) {
        self.crashes += other.crashes;
        self.snapshots += other.snapshots;
        self.replayed += other.replayed;
        self.erased += other.erased;
        self.swept += other.swept;
        self.objects += other.objects;
        for (own, other) in self.replies.iter_mut().flatten().zip(other.replies.iter().flatten()) {
            *own += other;
        }
    }

    /// Every kind of thing happened.
    pub(crate) fn check(&self) {
        let events = [
            ("crashes", self.crashes),
            ("snapshots", self.snapshots),
            ("commands replayed", self.replayed),
            ("objects erased", self.erased),
            ("objects swept", self.swept),
            ("objects left", self.objects),
        ];
        for (event, n) in events {
            assert!(n > 0, "no {event} in all of these runs");
        }
        let expected: [&[&str]; 11] = [
            &["done"],
            &["undecodable"],
            &["done", "bad batch"],
            &["done", "stale"],
            &["done", "stale"],
            &["done", "stale", "not neighbours"],
            &["done", "stale"],
            &["done", "stale", "not retired"],
            &["done", "id taken"],
            &["done", "stale"],
            &["done"],
        ];
        for (kind, replies) in expected.iter().enumerate() {
            for (reply, n) in REPLIES.iter().zip(self.replies[kind]) {
                let wanted = replies.contains(reply);
                assert_eq!(n > 0, wanted, "{n} times {reply} to {}", KINDS[kind]);
            }
        }
    }

    /// One line per kind of command.
    pub(crate) fn report(&self) -> String {
        let mut out = format!(
            "crashes {} snapshots {} replayed {} erased {} swept {}\n",
            self.crashes, self.snapshots, self.replayed, self.erased, self.swept
        );
        for (kind, counts) in KINDS.iter().zip(self.replies) {
            let counts = REPLIES.iter().zip(counts).filter(|(_, n)| *n > 0);
            let counts: Vec<String> = counts.map(|(reply, n)| format!("{reply} {n}")).collect();
            out.push_str(&format!("{kind}: {}\n", counts.join(", ")));
        }
        out
    }
}
