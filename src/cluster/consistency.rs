//! How recent a read must be: what its reader says, and what that asks of a replica.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Index, ShardId};

/// Longest token that is read: a cluster has far fewer shards.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// How recent a read must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// It shows everything that was acknowledged, to anybody, before it began.
    #[default]
    Linearizable,
    /// It shows at least these entries: what the reader itself wrote, or saw.
    Session(Arc<BTreeMap<ShardId, Index>>),
    /// It shows everything that was acknowledged so long before it began. Asks nobody.
    Stale(Duration),
}

/// What a read shows, and how old that may be.
#[derive(Clone, Debug)]
pub struct Seen<V> {
    /// What it shows.
    pub view: V,
    /// It shows everything that was acknowledged so long before the read, or earlier. Not known of
    /// a session.
    pub staleness: Option<Duration>,
}

impl Consistency {
    /// A session that has seen what a push answered: `shard:index,...`.
    pub fn session(token: &str) -> Result<Consistency, String> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(format!("the token is longer than {TOKEN_BYTES_MAX} bytes"));
        }
        let mut seen = BTreeMap::new();
        for pair in token.split(',').filter(|pair| !pair.trim().is_empty()) {
            let parsed = pair.trim().split_once(':').and_then(|(shard, index)| {
                Some((ShardId(shard.parse().ok()?), index.parse::<Index>().ok()?))
            });
            let (shard, index) = parsed.ok_or_else(|| {
                format!("'{pair}' in the token is no shard:index, as X-Drave-Commit says it")
            })?;
            let known = seen.entry(shard).or_insert(index);
            *known = (*known).max(index);
        }
        Ok(Consistency::Session(Arc::new(seen)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let check = |token: &str, expected: &[(u32, Index)]| {
            let seen = expected.iter().map(|(shard, index)| (ShardId(*shard), *index)).collect();
            assert_eq!(Consistency::session(token), Ok(Consistency::Session(Arc::new(seen))));
        };
        check("", &[]);
        check("0:7", &[(0, 7)]);
        check("0:7, 3:1,0:9,0:2", &[(0, 9), (3, 1)]);
        for bad in ["0", "a:1", "1:b", "1:2;3:4", "1:-2"] {
            assert!(Consistency::session(bad).is_err(), "{bad}");
        }
        assert!(Consistency::session(&"1:2,".repeat(20_000)).is_err());
    }
}
