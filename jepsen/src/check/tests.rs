//! Histories made by hand: a good one, and one per promise that can be broken.

use std::ops::Range;

use super::{Available, Findings, Flaw, available, check, story};
use crate::entry::{Entries, Entry, Selection};
use crate::history::{Answer, Event, Language, Micros, Outcome, Rows};

fn push(seqs: Range<u32>, time: Range<Micros>, outcome: Outcome) -> Event {
    Event::Push { node: 1, client: 0, seqs, time, outcome }
}

fn ack(seqs: Range<u32>, time: Range<Micros>) -> Event {
    push(seqs, time, Outcome::Acknowledged)
}

fn unknown(seqs: Range<u32>, time: Range<Micros>) -> Event {
    push(seqs, time, Outcome::Unknown("timeout".into()))
}

fn list(seqs: &[u32]) -> Vec<Entry> {
    seqs.iter().map(|seq| Entry { client: 0, seq: *seq }).collect()
}

fn answer(seqs: &[u32]) -> Answer {
    let (entries, twice) = Entries::collect(list(seqs));
    Answer::Rows(Rows { entries, twice, ..Rows::default() })
}

fn read_as(language: Language, time: Range<Micros>, answer: Answer, round: Option<u32>) -> Event {
    let what = Selection { pairs: 0..4, part: None };
    Event::Read { node: 2, language, what, time, answer, round }
}

fn read(time: Range<Micros>, seqs: &[u32]) -> Event {
    read_as(Language::LogqlRows, time, answer(seqs), None)
}

fn count(time: Range<Micros>, n: u64) -> Event {
    read_as(Language::SqlCount, time, Answer::Count(n), None)
}

fn last(language: Language, answer: Answer) -> Event {
    read_as(language, 900..950, answer, Some(1))
}

#[track_caller]
fn finds(events: &[Event], expected: &[(Flaw, u64)]) -> Findings {
    let findings = check(events);
    let found: Vec<(Flaw, u64)> = findings.flaws.clone().into_iter().collect();
    assert_eq!(found, expected, "{:#?}", findings.examples);
    assert_eq!(findings.is_good(), expected.is_empty());
    findings
}

#[test]
fn a_good_history_has_no_flaw() {
    let findings = finds(
        &[
            read(0..5, &[]),
            ack(0..4, 10..20),
            read(12..14, &[]),
            read(12..14, &[0, 1]),
            unknown(4..6, 30..40),
            read(45..50, &[0, 1, 2, 3]),
            count(45..50, 4),
            count(45..50, 6),
            ack(4..6, 60..70),
            ack(0..4, 80..90),
            read(100..110, &[0, 1, 2, 3, 4, 5]),
            push(6..8, 120..130, Outcome::Refused(400)),
            push(6..8, 130..140, Outcome::NotSent),
            last(Language::LogqlRows, answer(&[0, 1, 2, 3, 4, 5])),
            last(Language::SqlRows, answer(&[0, 1, 2, 3, 4, 5])),
            last(Language::SqlCount, Answer::Count(6)),
            last(Language::LogqlCount, Answer::Failed("timeout".into())),
        ],
        &[],
    );
    let counts = findings.counts;
    assert_eq!((counts.pushes, counts.acknowledged, counts.unknown, counts.refused), (6, 3, 1, 1));
    assert_eq!((counts.entries_acknowledged, counts.reads_last, counts.reads_failed), (6, 3, 1));
}

#[test]
fn an_acknowledged_entry_that_no_last_read_holds_is_lost() {
    let events = [ack(0..4, 10..20), last(Language::LogqlRows, answer(&[0, 1, 3]))];
    let findings = finds(&events, &[(Flaw::Lost, 1), (Flaw::Stale, 1)]);
    assert_eq!(findings.suspects[0], Entry { client: 0, seq: 2 });
    let told = story(&events, findings.suspects[0]);
    assert!(told.contains("pushed 0..4") && told.contains("holds it NOT"), "{told}");
}

#[test]
fn an_entry_that_another_last_read_holds_is_stale_and_not_lost() {
    finds(
        &[
            ack(0..4, 10..20),
            last(Language::LogqlRows, answer(&[0, 1, 3])),
            last(Language::SqlRows, answer(&[0, 1, 2, 3])),
        ],
        &[(Flaw::Stale, 1), (Flaw::Disagreed, 1)],
    );
}

#[test]
fn an_unknown_outcome_proves_nothing_until_it_is_seen() {
    finds(&[unknown(0..4, 10..20), last(Language::LogqlRows, answer(&[]))], &[]);
    finds(&[unknown(0..4, 10..20), last(Language::LogqlRows, answer(&[0, 1, 2, 3]))], &[]);
    let seen_and_gone =
        [unknown(0..2, 10..20), read(30..40, &[0, 1]), read(35..50, &[]), read(41..50, &[0])];
    finds(&seen_and_gone, &[(Flaw::Vanished, 1)]);
    finds(&[unknown(0..2, 10..20), read(30..40, &[0, 1]), count(41..50, 1)], &[(Flaw::Stale, 1)]);
}

#[test]
fn a_read_that_began_after_the_answer_and_does_not_hold_it_is_stale() {
    finds(&[ack(0..4, 10..20), read(20..30, &[])], &[]);
    finds(&[ack(0..4, 10..20), read(21..30, &[0, 1, 2])], &[(Flaw::Stale, 1)]);
    finds(&[ack(0..4, 10..20), count(21..30, 1)], &[(Flaw::Stale, 3)]);
    // The first answer counts, not the last.
    finds(&[ack(0..2, 10..20), ack(0..2, 50..60), read(21..30, &[])], &[(Flaw::Stale, 2)]);
    // Outside of what was asked.
    finds(&[ack(8..12, 10..20), read(21..30, &[])], &[]);
}

#[test]
fn an_entry_that_is_there_twice_is_found_in_rows_and_in_counts() {
    finds(&[ack(0..4, 10..20), read(21..30, &[0, 1, 1, 2, 3])], &[(Flaw::Duplicated, 1)]);
    finds(&[ack(0..4, 10..20), ack(0..4, 12..22), count(23..30, 6)], &[(Flaw::Duplicated, 2)]);
}

#[test]
fn a_refused_entry_that_is_read_is_an_aborted_read() {
    let refused = push(0..2, 10..20, Outcome::Refused(400));
    finds(&[refused.clone(), read(30..40, &[1])], &[(Flaw::Aborted, 1)]);
    finds(&[refused.clone(), count(30..40, 2)], &[(Flaw::Duplicated, 2)]);
    finds(&[refused, ack(0..2, 21..30), read(31..40, &[0, 1])], &[]);
}

#[test]
fn an_entry_that_nobody_has_pushed_yet_is_no_entry() {
    finds(&[read(0..5, &[0]), ack(0..1, 10..20)], &[(Flaw::Unpushed, 1)]);
    finds(&[push(0..1, 1..2, Outcome::NotSent), read(3..5, &[0])], &[(Flaw::Unpushed, 1)]);
}

#[test]
fn foreign_lines_wrong_order_and_rows_that_nobody_asked_for() {
    let rows = |rows: Rows| read_as(Language::SqlRows, 21..30, Answer::Rows(rows), None);
    let foreign = Rows { foreign: vec!["x".into()], ..Rows::default() };
    finds(&[rows(foreign)], &[(Flaw::Foreign, 1)]);
    let disordered = Rows { disordered: 2, ..Rows::default() };
    finds(&[rows(disordered)], &[(Flaw::Disordered, 2)]);
    finds(&[ack(8..9, 10..20), read(21..30, &[8])], &[(Flaw::Foreign, 1)]);
}

#[test]
fn answers_at_the_end_must_be_alike() {
    let history = |language, answer| {
        [
            ack(0..2, 10..20),
            last(Language::LogqlRows, self::answer(&[0, 1])),
            last(language, answer),
        ]
    };
    finds(&history(Language::SqlCount, Answer::Count(2)), &[]);
    let findings = check(&history(Language::SqlCount, Answer::Count(3)));
    assert_eq!(findings.flaws.get(&Flaw::Disagreed), Some(&1), "{:?}", findings.examples);
    // Unknown entries may be there or not, but the same everywhere.
    let mut events = history(Language::SqlRows, answer(&[0, 1, 2])).to_vec();
    events.push(unknown(2..3, 10..20));
    finds(&events, &[(Flaw::Disagreed, 1)]);
}

#[test]
fn a_failure_of_the_cluster_is_a_flaw() {
    finds(&[Event::Failure { at: 5, what: "node 2 ended".into() }], &[(Flaw::Failed, 1)]);
}

const S: Micros = 1_000_000;

fn figures(extra: &[Event]) -> Available {
    let mut events = vec![Event::LoadBegan { at: 0 }, Event::LoadEnded { at: 20 * S }];
    // An accepted push each second, and none between 5 and 12.
    let times = (1..=5).chain(12..20);
    events.extend(times.map(|second| ack(0..2, second * S - 1..second * S)));
    events.extend(extra.iter().cloned());
    available(&events)
}

#[test]
fn gaps_count_while_a_majority_can_talk() {
    let plain = figures(&[]);
    assert_eq!((plain.gap, plain.gap_with_majority, plain.gap_of_part), (7 * S, 7 * S, 20 * S));
    let away = [Event::Majority { at: 6 * S, is: false }, Event::Majority { at: 10 * S, is: true }];
    let figures = figures(&away);
    assert_eq!((figures.gap, figures.gap_with_majority), (7 * S, 2 * S));
}

#[test]
fn each_fault_has_its_gap_and_its_recovery() {
    let fault = |number, at, installed| Event::Fault {
        number,
        name: format!("f{number}"),
        detail: String::new(),
        at,
        installed,
    };
    let healed = |number, at| Event::Healed { number, name: String::new(), at };
    let faults = figures(&[
        fault(1, 5 * S, Ok(())),
        healed(1, 10 * S),
        fault(2, 14 * S, Ok(())),
        healed(2, 15 * S - 1),
        fault(3, 16 * S, Err("not root".into())),
    ])
    .faults;
    assert_eq!((faults[0].gap, faults[0].recovery), (7 * S, Some(2 * S)));
    assert_eq!((faults[1].gap, faults[1].recovery), (S, Some(1)));
    assert_eq!((faults[2].skipped.as_deref(), faults[2].recovery), (Some("not root"), None));
}
