//! What is known of each entry, over the whole history.

use crate::entry::{Entry, Selection};
use crate::history::{Answer, Event, Micros, Outcome};

/// Of one entry. `NEVER` where it did not happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    /// The first acknowledgement came.
    pub(super) acknowledged: Micros,
    /// The first attempt began that may have stored it.
    pub(super) possible: Micros,
    /// A read that holds it was answered.
    pub(super) seen: Micros,
    /// An attempt was refused.
    pub(super) refused: bool,
}

pub(super) const NEVER: Micros = Micros::MAX;
const UNHEARD: Fact = Fact { acknowledged: NEVER, possible: NEVER, seen: NEVER, refused: false };

impl Fact {
    /// From when on every read must hold it.
    pub(super) fn known(self) -> Micros {
        self.acknowledged.min(self.seen)
    }
}

/// By client and number.
pub(super) struct Facts(Vec<Vec<Fact>>);

impl Facts {
    pub(super) fn gather(events: &[Event]) -> Facts {
        let mut facts = Facts(Vec::new());
        for event in events {
            match event {
                Event::Push { client, seqs, time, outcome, .. } => {
                    for seq in seqs.clone() {
                        let fact = facts.entry(Entry { client: *client, seq });
                        match outcome {
                            Outcome::Acknowledged => {
                                fact.acknowledged = fact.acknowledged.min(time.end);
                                fact.possible = fact.possible.min(time.start);
                            }
                            Outcome::Unknown(_) => fact.possible = fact.possible.min(time.start),
                            Outcome::Refused(_) => fact.refused = true,
                            Outcome::NotSent => {}
                        }
                    }
                }
                Event::Read { time, answer: Answer::Rows(rows), .. } => {
                    for entry in rows.entries.iter() {
                        let fact = facts.entry(entry);
                        fact.seen = fact.seen.min(time.end);
                    }
                }
                _ => {}
            }
        }
        facts
    }

    fn entry(&mut self, entry: Entry) -> &mut Fact {
        let (client, seq) = (usize::from(entry.client), entry.seq as usize);
        if self.0.len() <= client {
            self.0.resize(client + 1, Vec::new());
        }
        let of_client = &mut self.0[client];
        if of_client.len() <= seq {
            of_client.resize(seq + 1, UNHEARD);
        }
        &mut of_client[seq]
    }

    pub(super) fn of(&self, entry: Entry) -> Fact {
        let of_client = self.0.get(usize::from(entry.client));
        of_client.and_then(|facts| facts.get(entry.seq as usize)).copied().unwrap_or(UNHEARD)
    }

    /// All entries that somebody pushed or read and that a selection covers.
    pub(super) fn covered<'a>(
        &'a self,
        what: &'a Selection,
    ) -> impl Iterator<Item = (Entry, Fact)> + 'a {
        self.0.iter().enumerate().flat_map(move |(client, facts)| {
            let client = u16::try_from(client).expect("clients are few");
            let end = (what.pairs.end as usize).saturating_mul(2).min(facts.len());
            let start = (what.pairs.start as usize).saturating_mul(2).min(end);
            (start..end).filter_map(move |seq| {
                let entry = Entry { client, seq: u32::try_from(seq).expect("it was one") };
                what.covers(entry).then(|| (entry, facts[seq]))
            })
        })
    }

    pub(super) fn acknowledged(&self) -> u64 {
        let all = self.0.iter().flatten();
        all.filter(|fact| fact.acknowledged != NEVER).count() as u64
    }
}
