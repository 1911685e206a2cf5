//! What one request may see: which tenants, and of each the streams that a policy lets through.
//!
//! Who reads several tenants at once is shown whose each stream is: it gets the label
//! [`TENANT_LABEL`]. From then on it is a label like others, in selectors, filters and aggregations.
//!
//! Invariants:
//! - Nothing is read of a tenant that is not named here: readers walk [`Sight::seen`].
//! - A policy looks at the labels that were pushed, whatever is shown of them.
//! - The label cannot be forged: a pushed one is shown under another name.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Labels, Selector, Tenant};

/// The label that says whose a stream is, where several tenants are read.
pub const TENANT_LABEL: &str = "__tenant_id__";
/// Under which name a label is shown that was pushed as [`TENANT_LABEL`].
const PUSHED_LABEL: &str = "original___tenant_id__";

/// Which tenants, sorted; never none. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sight(Arc<[Seen]>);

/// One tenant, and what is seen of it.
#[derive(Clone, Debug)]
pub struct Seen {
    tenant: Tenant,
    named: bool,
    /// A stream that one of these matches is seen; where there are none, every stream is.
    policy: Vec<Selector>,
}

impl From<&Tenant> for Sight {
    fn from(tenant: &Tenant) -> Sight {
        Sight::from(Seen::all_of(tenant.clone()))
    }
}

impl From<&Sight> for Sight {
    fn from(sight: &Sight) -> Sight {
        sight.clone()
    }
}

impl From<Seen> for Sight {
    fn from(seen: Seen) -> Sight {
        Sight(Arc::from([seen]))
    }
}

impl Sight {
    /// All of several tenants; of one that is named twice, too, there is one. `None` where there is
    /// none. `policy`: what is let through of a tenant, where that is not everything.
    pub fn new(
        mut tenants: Vec<Tenant>,
        mut policy: impl FnMut(&Tenant) -> Vec<Selector>,
    ) -> Option<Sight> {
        tenants.sort();
        tenants.dedup();
        let named = tenants.len() > 1;
        let seen = tenants.into_iter().map(|tenant| {
            let policy = policy(&tenant);
            Seen { tenant, named, policy }
        });
        let seen: Arc<[Seen]> = seen.collect();
        (!seen.is_empty()).then_some(Sight(seen))
    }

    /// Each tenant.
    pub fn seen(&self) -> &[Seen] {
        &self.0
    }

    /// The only tenant, where there is one.
    pub fn only(&self) -> Option<&Seen> {
        match &*self.0 {
            [seen] => Some(seen),
            _ => None,
        }
    }

    /// The tenant that comes first by name.
    pub fn first(&self) -> &Tenant {
        &self.0[0].tenant
    }
}

impl Seen {
    /// Everything of a tenant.
    pub fn all_of(tenant: Tenant) -> Seen {
        Seen::new(tenant, false, Vec::new())
    }

    /// A tenant whose streams are shown with their tenant, or not, through a policy, or none.
    pub fn new(tenant: Tenant, named: bool, policy: Vec<Selector>) -> Seen {
        Seen { tenant, named, policy }
    }

    /// Whose entries.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Whether streams are shown with their tenant.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Selectors of which one must match.
    pub fn policy(&self) -> &[Selector] {
        &self.policy
    }

    /// Whether streams are seen as they were pushed, and all of them.
    pub fn is_plain(&self) -> bool {
        !self.named && self.policy.is_empty()
    }

    /// The labels that a stream is shown with; nothing where it is not to be seen.
    pub fn shown<'l>(&self, stream: &'l Labels) -> Option<Cow<'l, Labels>> {
        let let_through =
            self.policy.is_empty() || self.policy.iter().any(|selector| selector.matches(stream));
        if !let_through {
            return None;
        }
        if !self.named {
            return Some(Cow::Borrowed(stream));
        }
        let pushed = stream.get(TENANT_LABEL);
        let stream = pushed
            .map_or(Cow::Borrowed(stream), |pushed| Cow::Owned(stream.with(PUSHED_LABEL, pushed)));
        Some(Cow::Owned(stream.with(TENANT_LABEL, self.tenant.as_str())))
    }

    /// Whether a selector can match any stream of this tenant, by the tenant alone.
    pub fn may_match(&self, selector: &Selector) -> bool {
        let mut of_tenant = selector.matchers.iter().filter(|own| own.name == TENANT_LABEL);
        !self.named || of_tenant.all(|matcher| matcher.accepts(self.tenant.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MatchOp, Matcher};

    fn tenant(name: &str) -> Tenant {
        Tenant::parse(name).expect("a name")
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).expect("unique")
    }

    fn selector(pairs: &[(&str, &str)]) -> Selector {
        let matcher = |(name, value): &(&str, &str)| {
            Matcher::new(name, MatchOp::Matches, value).expect("a pattern")
        };
        Selector { matchers: pairs.iter().map(matcher).collect() }
    }

    #[test]
    fn tenants_are_named_once_and_one_alone_is_not() {
        let check = |names: &[&str], expected: &[(&str, bool)]| {
            let tenants = names.iter().map(|name| tenant(name)).collect();
            let sight = Sight::new(tenants, |_| Vec::new());
            let found = sight.iter().flat_map(Sight::seen);
            let found: Vec<_> =
                found.map(|seen| (seen.tenant().as_str().to_owned(), seen.is_named())).collect();
            let expected: Vec<_> =
                expected.iter().map(|(name, named)| ((*name).to_owned(), *named)).collect();
            assert_eq!(found, expected);
        };
        check(&[], &[]);
        check(&["a"], &[("a", false)]);
        check(&["a", "a"], &[("a", false)]);
        check(&["b", "a", "b"], &[("a", true), ("b", true)]);
    }

    #[test]
    fn what_is_shown_of_a_stream() {
        let check =
            |named: bool, policy: Vec<Selector>, stream: &[(&str, &str)], expected: &str| {
                let seen = Seen::new(tenant("t"), named, policy);
                let stream = labels(stream);
                let shown = seen.shown(&stream).map(|labels| labels.to_string());
                assert_eq!(shown.as_deref().unwrap_or("nothing"), expected);
            };
        let web = || selector(&[("app", "w.*")]);
        check(false, vec![], &[("app", "web")], r#"{app="web"}"#);
        check(true, vec![], &[("app", "web")], r#"{__tenant_id__="t", app="web"}"#);
        let forged = [("__tenant_id__", "x")];
        check(true, vec![], &forged, r#"{__tenant_id__="t", original___tenant_id__="x"}"#);
        check(false, vec![web()], &[("app", "web")], r#"{app="web"}"#);
        check(false, vec![web()], &[("app", "api")], "nothing");
        // All of one selector, and one of several.
        let both = selector(&[("app", "web"), ("env", "prod")]);
        check(false, vec![both.clone()], &[("app", "web")], "nothing");
        check(false, vec![both, web()], &[("app", "web")], r#"{app="web"}"#);
        // What was pushed decides, not what is shown.
        let of_tenant = selector(&[("__tenant_id__", "t")]);
        check(true, vec![of_tenant], &[("app", "web")], "nothing");
    }

    #[test]
    fn selectors_by_tenant() {
        let check = |named: bool, pattern: &str, expected: bool| {
            let seen = Seen::new(tenant("team-a"), named, Vec::new());
            assert_eq!(seen.may_match(&selector(&[("__tenant_id__", pattern)])), expected);
        };
        check(true, "team-.*", true);
        check(true, "team-b", false);
        check(false, "team-b", true);
    }
}
