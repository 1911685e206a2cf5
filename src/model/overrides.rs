//! Limits of all tenants: those of everybody, and those of the tenants that have their own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Tenant;
use super::limits::Limits;

/// One state of the limits. A reload makes another.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    everybody: Arc<Limits>,
    tenants: HashMap<Tenant, Arc<Limits>>,
}

impl Overrides {
    /// `tenants` have limits of their own, everybody else has `everybody`'s.
    pub fn new(everybody: Limits, tenants: HashMap<Tenant, Limits>) -> Overrides {
        let tenants = tenants.into_iter().map(|(tenant, limits)| (tenant, Arc::new(limits)));
        Overrides { everybody: Arc::new(everybody), tenants: tenants.collect() }
    }

    /// What a tenant may do.
    pub fn of(&self, tenant: &Tenant) -> &Arc<Limits> {
        self.tenants.get(tenant).unwrap_or(&self.everybody)
    }

    /// The same with limits that some tenants have on top of that, and what is wrong with which.
    /// Who has something wrong has none of it.
    pub fn with<'o>(
        &self,
        own: impl IntoIterator<Item = (&'o String, &'o BTreeMap<String, serde_json::Value>)>,
    ) -> (Overrides, Vec<String>) {
        let mut overrides = self.clone();
        let mut wrong = Vec::new();
        for (name, keys) in own {
            let tenant = Tenant::parse(name).map_err(|error| error.to_string());
            let limits = tenant.and_then(|tenant| {
                let limits = self.of(&tenant).with(keys).map_err(|error| error.to_string())?;
                Ok((tenant, Arc::new(limits)))
            });
            match limits {
                Ok((tenant, limits)) => drop(overrides.tenants.insert(tenant, limits)),
                Err(reason) => wrong.push(format!("{name}: {reason}")),
            }
        }
        (overrides, wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_tenants_lie_over_those_of_the_file() {
        let tenant = |name: &str| Tenant::parse(name).expect("a name");
        let of_file = Limits { max_query_series: 7, ..Limits::default() };
        let files = Overrides::new(Limits::default(), HashMap::from([(tenant("a"), of_file)]));
        let keys = |key: &str, value: serde_json::Value| BTreeMap::from([(key.to_owned(), value)]);
        let own = BTreeMap::from([
            ("a".to_owned(), keys("query_timeout", "5s".into())),
            ("b".to_owned(), keys("max_line_size", "1KB".into())),
            ("c".to_owned(), keys("max_line_sise", "1KB".into())),
            ("d".to_owned(), keys("max_query_series", "many".into())),
        ]);
        let (overrides, wrong) = files.with(&own);
        let a = overrides.of(&tenant("a"));
        assert_eq!((a.max_query_series, a.query_timeout.0.as_secs()), (7, 5));
        assert_eq!(overrides.of(&tenant("b")).max_line_size.0, 1024);
        assert_eq!(**overrides.of(&tenant("c")), Limits::default());
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].contains("max_line_sise") && wrong[1].starts_with("d: "), "{wrong:?}");
    }
}
