//! Which series a sample belongs to.
//!
//! In: the labels of an entry. Out: the number of its series. Labels are compared as one key of
//! bytes; a set of labels is only built for a series that is new.

use std::collections::HashMap;

use crate::logql::names::{Name, Xxh3};
use crate::logql::row::Row;
use crate::model::Labels;

/// Which labels tell series apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupBy {
    /// None: all samples are one series.
    Nothing,
    /// These, sorted by their texts.
    Only(Vec<Name>),
    /// All but these.
    AllBut(Vec<Name>),
}

/// The series seen so far.
#[derive(Debug, Default)]
pub(crate) struct SeriesTable {
    numbers: HashMap<Box<[u8]>, u32, Xxh3>,
    labels: Vec<Labels>,
    /// The last key and its number: neighbours are often alike.
    last: Option<(Vec<u8>, u32)>,
    key: Vec<u8>,
}

/// Ends names and values in keys; it does not occur in UTF-8.
const END: u8 = 0xff;

impl SeriesTable {
    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The label sets, by number.
    pub(crate) fn into_labels(self) -> Vec<Labels> {
        self.labels
    }

    /// Bytes this takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.numbers.keys().map(|key| 2 * key.len() + 64).sum()
    }

    /// The series of an entry.
    pub(crate) fn of_row(&mut self, row: &Row<'_>, by: &GroupBy) -> u32 {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        match by {
            GroupBy::Nothing => {}
            GroupBy::Only(names) => {
                for name in names {
                    key.extend_from_slice(row.get(*name).unwrap_or("").as_bytes());
                    key.push(END);
                }
            }
            GroupBy::AllBut(names) => {
                for (name, value) in all_but(row, names) {
                    push(&mut key, name, value);
                }
            }
        }
        let number = self.of_key(&key, || match by {
            GroupBy::Nothing => Labels::empty(),
            GroupBy::Only(names) => labels(
                names.iter().map(|name| (row.names.text(*name), row.get(*name).unwrap_or(""))),
            ),
            GroupBy::AllBut(names) => labels(all_but(row, names).into_iter()),
        });
        self.key = key;
        number
    }

    /// The series with a key; made where it is new.
    fn of_key(&mut self, key: &[u8], labels: impl FnOnce() -> Labels) -> u32 {
        if let Some((last, number)) = &self.last
            && last == key
        {
            return *number;
        }
        let number = match self.numbers.get(key) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.labels.len()).expect("series are limited");
                self.numbers.insert(key.into(), number);
                self.labels.push(labels());
                number
            }
        };
        let (last, own) = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(key);
        *own = number;
        number
    }

    /// The keys, by number.
    pub(crate) fn keys(&self) -> Vec<&[u8]> {
        let mut keys: Vec<&[u8]> = vec![&[]; self.labels.len()];
        for (key, number) in &self.numbers {
            keys[*number as usize] = key;
        }
        keys
    }

    /// The series with a key that a table with the same grouping has, somewhere else. Nothing where
    /// no table has such a key. `text` gives the text of a name.
    pub(crate) fn of_wire<'n>(
        &mut self,
        key: &[u8],
        by: &GroupBy,
        text: impl Fn(Name) -> &'n str,
    ) -> Option<u32> {
        if let Some(number) = self.numbers.get(key) {
            return Some(*number);
        }
        let labels = labels_of(key, by, text)?;
        Some(self.of_key(key, || labels))
    }

    /// Takes over the series of another table; gives their numbers here.
    pub(crate) fn merge(&mut self, other: SeriesTable) -> Vec<u32> {
        let mut numbers = vec![0; other.labels.len()];
        for (key, number) in other.numbers {
            let labels = &other.labels[number as usize];
            numbers[number as usize] = self.of_key(&key, || labels.clone());
        }
        numbers
    }
}

/// The labels that a key stands for.
fn labels_of<'n>(key: &[u8], by: &GroupBy, text: impl Fn(Name) -> &'n str) -> Option<Labels> {
    let mut texts = Vec::new();
    for part in key.split_inclusive(|byte| *byte == END) {
        let Some((&END, part)) = part.split_last() else { return None };
        texts.push(std::str::from_utf8(part).ok()?);
    }
    let pairs: Vec<(&str, &str)> = match by {
        GroupBy::Nothing if texts.is_empty() => Vec::new(),
        GroupBy::Only(names) if names.len() == texts.len() => {
            names.iter().map(|name| text(*name)).zip(texts).collect()
        }
        GroupBy::AllBut(_) if texts.len().is_multiple_of(2) => {
            texts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
        }
        GroupBy::Nothing | GroupBy::Only(_) | GroupBy::AllBut(_) => return None,
    };
    Labels::from_pairs(pairs).ok()
}

fn push(key: &mut Vec<u8>, name: &str, value: &str) {
    key.extend_from_slice(name.as_bytes());
    key.push(END);
    key.extend_from_slice(value.as_bytes());
    key.push(END);
}

/// Labels with a value, sorted by name.
fn all_but<'r>(row: &'r Row<'_>, without: &[Name]) -> Vec<(&'r str, &'r str)> {
    let labels =
        row.visible().filter(|(name, _, value)| !value.is_empty() && !without.contains(name));
    let mut labels: Vec<(&str, &str)> =
        labels.map(|(name, _, value)| (row.names.text(name), value)).collect();
    labels.sort_unstable();
    labels
}

fn labels<'r>(pairs: impl Iterator<Item = (&'r str, &'r str)>) -> Labels {
    Labels::from_pairs(pairs).expect("a row shows a name at most once")
}
