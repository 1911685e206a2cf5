//! Limits of all tenants: those of everybody, and those of the tenants that have their own.

use std::collections::HashMap;
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
}
