//! Label names as small numbers.
//!
//! A name that occurs in a query, a stream, a metadata set or a parsed line is given a number once;
//! after that, comparing names is comparing numbers. Texts go in, [`Name`]s come out.
//!
//! Invariants:
//! - equal texts have equal numbers, as long as the table is not cut back by [`Names::truncate`];
//! - the numbers of a query's own names are the first ones and stay valid for ever.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// The number of a label name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(pub(crate) u32);

impl Name {
    /// As a position in a table that has one cell per name.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is appended to a parsed name that a stream label or metadata key already has.
pub(crate) const DUPLICATE_SUFFIX: &str = "_extracted";

/// Texts and their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    by_text: HashMap<Arc<str>, Name, Xxh3>,
    texts: Vec<Arc<str>>,
    /// The name with the suffix, once it was asked for.
    extracted: Vec<Option<Name>>,
    bytes: usize,
}

impl Names {
    /// The number of a text; a new one where the text is new.
    pub(crate) fn intern(&mut self, text: &str) -> Name {
        if let Some(name) = self.by_text.get(text) {
            return *name;
        }
        let name =
            Name(u32::try_from(self.texts.len()).expect("the table is cut back long before"));
        let text: Arc<str> = Arc::from(text);
        self.by_text.insert(text.clone(), name);
        self.texts.push(text);
        self.extracted.push(None);
        self.bytes += self.texts[name.index()].len();
        name
    }

    /// The number of a text, if it has one.
    pub(crate) fn get(&self, text: &str) -> Option<Name> {
        self.by_text.get(text).copied()
    }

    /// The text of a number.
    pub(crate) fn text(&self, name: Name) -> &str {
        &self.texts[name.index()]
    }

    /// The same name with the suffix for duplicates.
    pub(crate) fn extracted(&mut self, name: Name) -> Name {
        if let Some(known) = self.extracted[name.index()] {
            return known;
        }
        let text = format!("{}{DUPLICATE_SUFFIX}", self.text(name));
        let suffixed = self.intern(&text);
        self.extracted[name.index()] = Some(suffixed);
        suffixed
    }

    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Bytes of all texts.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all names but the first `n`: log lines can make up any number of them.
    pub(crate) fn truncate(&mut self, n: usize) {
        for text in self.texts.drain(n..) {
            self.by_text.remove(&text);
            self.bytes -= text.len();
        }
        self.extracted.truncate(n);
        for suffixed in &mut self.extracted {
            suffixed.take_if(|name| name.index() >= n);
        }
    }
}

/// A fast hash for short texts. Tables that use it are bounded, so that lines made to collide
/// cost at most one bounded chain.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Xxh3;

/// The state of [`Xxh3`].
pub(crate) struct Xxh3Hasher(u64);

impl BuildHasher for Xxh3 {
    type Hasher = Xxh3Hasher;

    fn build_hasher(&self) -> Xxh3Hasher {
        Xxh3Hasher(0)
    }
}

impl Hasher for Xxh3Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    // Only ends of texts and small numbers come here: mixing them is enough.
    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        let mixed = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_can_be_cut_back() {
        let mut names = Names::default();
        let app = names.intern("app");
        let extracted = names.extracted(app);
        assert_eq!(names.text(extracted), "app_extracted");
        assert_eq!(names.intern("app"), app);
        names.intern("junk");
        names.truncate(1);
        assert_eq!((names.len(), names.get("junk"), names.get("app")), (1, None, Some(app)));
        let again = names.extracted(app);
        assert_eq!(names.text(again), "app_extracted");
    }
}
