//! Whose request it is, by the `X-Scope-OrgID` header, and what of that tenant a reader may see.
//!
//! A push, a tail and a page for operators are one tenant's. A read may name several, `a|b`, where
//! `querier.multi_tenant_queries_enabled` allows that: it sees these and nobody else.
//!
//! `X-Prom-Label-Policy` narrows what is seen, as whoever stands in front of this server says:
//! `tenant:{selector}`, percent-encoded, separated by commas; of several selectors of one tenant one
//! must match. A request with a policy that is silent about its tenant is refused: a gap in a policy
//! is more likely a mistake than a permission.

use axum::http::{HeaderMap, StatusCode};

use super::Options;
use super::error::Error;
use super::params::decode;
use crate::logql;
use crate::model::{Selector, Sight, Tenant, tenant};

const HEADER: &str = "x-scope-orgid";
const POLICY_HEADER: &str = "x-prom-label-policy";

/// The tenant of a request. Without authentication everything is one tenant's.
pub(super) fn of(headers: &HeaderMap, auth_enabled: bool) -> Result<Tenant, Error> {
    if !auth_enabled {
        return Ok(Tenant::single());
    }
    parse(text(headers)?)
}

/// What a read may see.
pub(super) fn sight(headers: &HeaderMap, options: &Options) -> Result<Sight, Error> {
    let tenants = match options.multi_tenant_reads && options.auth_enabled {
        false => vec![of(headers, options.auth_enabled)?],
        true => text(headers)?.split('|').map(parse).collect::<Result<_, _>>()?,
    };
    let policy = policy(headers)?;
    if let Some(policy) = &policy {
        let silent = tenants.iter().find(|tenant| !policy.iter().any(|(own, _)| own == *tenant));
        if let Some(tenant) = silent {
            let text = format!("X-Prom-Label-Policy says nothing of tenant '{tenant}'");
            return Err(Error::new(StatusCode::FORBIDDEN, text));
        }
    }
    let policy = policy.unwrap_or_default();
    let sight = Sight::new(tenants, |tenant| {
        let own = policy.iter().filter(|(own, _)| own == tenant);
        own.map(|(_, selector)| selector.clone()).collect()
    });
    Ok(sight.expect("a text has at least one part"))
}

fn text(headers: &HeaderMap) -> Result<&str, Error> {
    let mut given = headers.get_all(HEADER).iter();
    let value = given.next().map_or(&b""[..], |value| value.as_bytes());
    if given.next().is_some() {
        return Err(Error::bad_request("X-Scope-OrgID is given more than once"));
    }
    std::str::from_utf8(value).map_err(|_| Error::bad_request("X-Scope-OrgID is not UTF-8"))
}

fn parse(text: &str) -> Result<Tenant, Error> {
    Tenant::parse(text).map_err(|error| match error {
        tenant::Error::Missing => Error::new(StatusCode::UNAUTHORIZED, error.to_string()),
        tenant::Error::TooLong | tenant::Error::UnsafePath | tenant::Error::Character { .. } => {
            Error::bad_request(error.to_string())
        }
    })
}

/// The selectors of a policy by tenant; `None` where there is no policy.
fn policy(headers: &HeaderMap) -> Result<Option<Vec<(Tenant, Selector)>>, Error> {
    let mut rules = None;
    for value in headers.get_all(POLICY_HEADER) {
        let bad = |why: &str| Error::bad_request(format!("X-Prom-Label-Policy: {why}"));
        let value = value.to_str().map_err(|_| bad("it is not ASCII"))?;
        let rules: &mut Vec<_> = rules.get_or_insert_default();
        for rule in value.split(',').map(str::trim).filter(|rule| !rule.is_empty()) {
            let form = || bad("a rule is tenant:{selector}, percent-encoded");
            let (tenant, selector) = rule.split_once(':').ok_or_else(form)?;
            let tenant = Tenant::parse(&decode(tenant)).map_err(|error| bad(&error.to_string()))?;
            let selector = logql::parse_selector(&decode(selector));
            rules.push((tenant, selector.map_err(|error| bad(&error.to_string()))?));
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        pairs.collect()
    }

    /// Tenants and what is let through of each, or the status of a refusal.
    fn seen(multi: bool, pairs: &[(&'static str, &str)]) -> String {
        let options =
            Options { auth_enabled: true, multi_tenant_reads: multi, ..Options::of_test() };
        match sight(&headers(pairs), &options) {
            Err(error) => error.status.as_u16().to_string(),
            Ok(sight) => {
                let seen = sight.seen().iter().map(|seen| {
                    let policy = seen.policy().iter().map(Selector::to_string);
                    format!("{}{}", seen.tenant(), policy.collect::<String>())
                });
                seen.collect::<Vec<_>>().join("|")
            }
        }
    }

    #[test]
    fn several_tenants_where_that_is_allowed() {
        let check = |multi: bool, tenants: &str, expected: &str| {
            assert_eq!(seen(multi, &[(HEADER, tenants)]), expected, "{tenants}");
        };
        check(false, "a", "a");
        check(false, "a|b", "400");
        check(true, "b|a|b", "a|b");
        check(true, "a|a", "a");
        check(true, "a|", "401");
        check(true, "a|b/c", "400");
        check(true, "", "401");
    }

    #[test]
    fn a_policy_narrows_and_never_widens() {
        let check = |policy: &str, expected: &str| {
            let pairs = [(HEADER, "a|b"), (POLICY_HEADER, policy)];
            assert_eq!(seen(true, &pairs), expected, "{policy}");
        };
        let rule_a = "a:%7Bapp%3D%22x%22%2C%20env%3D%22p%22%7D";
        check(&format!("{rule_a},b:%7B%7D"), r#"a{app="x", env="p"}|b{}"#);
        check(&format!("{rule_a}, a:{{app=\"y\"}},b:{{}}"), r#"a{app="x", env="p"}{app="y"}|b{}"#);
        check(rule_a, "403");
        check(&format!("{rule_a},c:%7B%7D"), "403");
        check("", "403");
        check("a", "400");
        check("a:%7Bapp", "400");
        check("a/b:%7B%7D", "400");
    }
}
