//! Members of the metadata that SQL looks for: what tells of a block that nothing in it matters.

use drave_proto::scan as proto;

use crate::scan::Needles;
use crate::scan::remote::{Malformed, from_pairs, to_pairs};

/// Groups of names and values. Of each group, an entry that matters has one in its metadata.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Members(pub(super) Vec<Vec<(String, String)>>);

impl Members {
    /// The needles, and blocks that have none of a group are left out, too.
    pub(super) fn add_to(&self, mut needles: Needles) -> Needles {
        for group in &self.0 {
            needles.add_values(group.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        needles
    }

    /// As they are sent to another node.
    pub(super) fn to_wire(&self) -> Vec<proto::Labels> {
        let group =
            |group: &Vec<(String, String)>| proto::Labels { pairs: from_pairs(group.clone()) };
        self.0.iter().map(group).collect()
    }

    /// And as they came.
    pub(super) fn from_wire(groups: Vec<proto::Labels>) -> Result<Members, Malformed> {
        let groups = groups.into_iter().map(|group| to_pairs(group.pairs));
        Ok(Members(groups.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn come_back_from_the_wire() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for groups in [
            vec![],
            vec![vec![pair("trace", "x")]],
            vec![vec![pair("trace", "x"), pair("trace", "")], vec![], vec![pair("user", "y")]],
        ] {
            let members = Members(groups);
            assert_eq!(Members::from_wire(members.to_wire()).as_ref(), Ok(&members));
        }
        let odd = proto::Labels { pairs: vec!["trace".into(), "x".into(), "user".into()] };
        assert_eq!(Members::from_wire(vec![odd]), Err(Malformed("a name without a value")));
    }
}
