//! What each tenant's pushes hold at once: one tenant alone cannot take the memory of all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;

use super::error::Error;
use crate::model::Tenant;

/// Bytes that the pushes of each tenant hold. Cheap to clone.
#[derive(Clone)]
pub(super) struct Quotas {
    bytes_max: usize,
    held: Arc<Mutex<HashMap<Tenant, usize>>>,
}

/// A push's part of what its tenant may hold, given back when it is dropped.
pub(super) struct Held {
    quotas: Quotas,
    tenant: Tenant,
    bytes: usize,
}

impl Quotas {
    pub(super) fn new(bytes_max: usize) -> Quotas {
        Quotas { bytes_max, held: Arc::default() }
    }

    /// Takes `bytes` for a push. One that is alone is always let in: it is bounded elsewhere.
    pub(super) fn take(&self, tenant: &Tenant, bytes: usize) -> Result<Held, Error> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.get(tenant).copied().unwrap_or(0);
        if own > 0 && own.saturating_add(bytes) > self.bytes_max {
            let message = format!(
                "too many bytes under way for user {tenant} (limit: {} bytes): wait for answers \
                 before sending more or contact your administrator to see if the limit can be \
                 increased",
                self.bytes_max
            );
            return Err(Error::new(StatusCode::TOO_MANY_REQUESTS, message));
        }
        held.insert(tenant.clone(), own + bytes);
        Ok(Held { quotas: self.clone(), tenant: tenant.clone(), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.quotas.held.lock().unwrap_or_else(PoisonError::into_inner);
        let left = held.get(&self.tenant).map_or(0, |own| own.saturating_sub(self.bytes));
        if left == 0 {
            held.remove(&self.tenant);
        } else {
            held.insert(self.tenant.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_its_own() {
        let quotas = Quotas::new(100);
        let [a, b] = ["a", "b"].map(|id| Tenant::parse(id).expect("an id"));
        let first = quotas.take(&a, 70).expect("there is room");
        let refused = quotas.take(&a, 31).err().expect("there is none");
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.message.contains("user a (limit: 100 bytes)"), "{}", refused.message);
        let second = quotas.take(&a, 30).expect("there is just enough");
        let other = quotas.take(&b, 500).expect("alone, it is let in");
        drop(first);
        let third = quotas.take(&a, 70).expect("it came back");
        drop((second, third, other));
        assert!(quotas.held.lock().expect("nobody panics").is_empty());
    }
}
