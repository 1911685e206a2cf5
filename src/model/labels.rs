//! The label set that names a stream.
//!
//! Invariants: names are unique and sorted by bytes; no value is empty (an empty value means the
//! label is absent). Identity is the set itself; [`Labels::hash64`] only spreads and orders.

use std::fmt;
use std::sync::Arc;

/// One sorted label set. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Box<str>, Box<str>)]>);

/// A name was given twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("duplicate label name '{name}'")]
pub struct DuplicateName {
    /// The name that occurs twice.
    pub name: String,
}

impl Labels {
    /// The set without labels.
    pub fn empty() -> Labels {
        Labels(Arc::from([]))
    }

    /// Sorts the pairs and drops those with an empty value. A name given twice is refused.
    pub fn from_pairs<N, V>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Labels, DuplicateName>
    where
        N: Into<Box<str>>,
        V: Into<Box<str>>,
    {
        let mut pairs: Vec<(Box<str>, Box<str>)> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        pairs.retain(|(_, value)| !value.is_empty());
        pairs.sort();
        match pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(DuplicateName { name: pair[0].0.to_string() }),
            None => Ok(Labels(pairs.into())),
        }
    }

    /// The value of a label; `None` where it is absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(own, _)| (**own).cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same set with one label set to a value (removed where the value is empty).
    pub fn with(&self, name: &str, value: &str) -> Labels {
        let others = self.iter().filter(|(own, _)| *own != name);
        let pairs = others.chain([(name, value)]);
        Labels::from_pairs(pairs).expect("the name was taken out before it was put in")
    }

    /// A hash that spreads streams over shards and breaks ties between them. It is stored in no
    /// file but decides placement, so it must never change: XXH3-64 over `name 0xFF value 0xFF`.
    pub fn hash64(&self) -> u64 {
        let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
        for (name, value) in self.iter() {
            hasher.update(name.as_bytes());
            hasher.update(&[0xff]);
            hasher.update(value.as_bytes());
            hasher.update(&[0xff]);
        }
        hasher.digest()
    }
}

/// Prometheus text: `{app="web", env="prod"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={}", Quoted(value))?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A string in Go's double-quoted form, as Prometheus and LogQL texts write it.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{7}' => f.write_str("\\a")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{b}' => f.write_str("\\v")?,
                '\u{c}' => f.write_str("\\f")?,
                c if c < ' ' || c == '\u{7f}' => write!(f, "\\x{:02x}", u32::from(c))?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_unique_and_not_empty() {
        let labels = Labels::from_pairs([("b", "2"), ("a", "1"), ("c", "")]).expect("unique");
        assert_eq!(labels.to_string(), r#"{a="1", b="2"}"#);
        assert_eq!(labels.get("b"), Some("2"));
        assert_eq!(labels.get("c"), None);
        assert!(Labels::from_pairs([("a", "1"), ("a", "2")]).is_err());
    }

    #[test]
    fn with_replaces_and_removes() {
        let labels = Labels::from_pairs([("a", "1")]).expect("unique");
        assert_eq!(labels.with("a", "2").with("b", "x\n\"").to_string(), r#"{a="2", b="x\n\""}"#);
        assert_eq!(labels.with("a", ""), Labels::empty());
    }

    #[test]
    fn the_hash_never_changes() {
        let labels = Labels::from_pairs([("app", "web"), ("env", "prod")]).expect("unique");
        assert_eq!(labels.hash64(), xxhash_rust::xxh3::xxh3_64(b"app\xffweb\xffenv\xffprod\xff"));
    }
}
