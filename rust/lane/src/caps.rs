//! The caps of routes and tenants, over the lane's own: how much of a request's weight each of them lets through.
//!
//! Invariants: a request is let through only when its tenant, its route and the lane all have room, and then each of
//! them is charged; none ever gives out more than rate * t + burst. What is charged stays charged: of two requests that
//! race for the last unit of one cap, the loser may have paid another one.
//!
//! Tenants are not listed: a tenant's budget is one word of a fixed table, chosen by a salted hash of its key, and a
//! budget that nobody owes anything to is the same for every tenant. So memory is bounded however many tenants there
//! are; two that are active at the same time and meet in one word (once in [`TENANT_SLOTS`] pairs) share one budget:
//! that can only let fewer through.

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::gcra::Quota;
use crate::keys::StickyKey;
use shadowlane_base::{Error, Result};
use shadowlane_policy::eligible::Pattern;

/// Words for the budgets of tenants.
pub const TENANT_SLOTS: usize = 16_384;
/// Words for the budgets of routes.
pub const ROUTE_SLOTS: usize = 64;

/// The theoretical arrival times of routes and tenants, part of the control file. All zero owes nothing.
#[repr(C, align(128))]
pub struct CapTable {
    /// Which pattern a route's word belongs to, by its hash; 0 when it is free.
    route_tags: [AtomicU64; ROUTE_SLOTS],
    routes: [AtomicU64; ROUTE_SLOTS],
    tenants: [AtomicU64; TENANT_SLOTS],
}

impl Default for CapTable {
    #[expect(clippy::large_stack_arrays, reason = "in use the table lies in a mapped file; tests make one")]
    fn default() -> Self {
        Self {
            route_tags: [const { AtomicU64::new(0) }; ROUTE_SLOTS],
            routes: [const { AtomicU64::new(0) }; ROUTE_SLOTS],
            tenants: [const { AtomicU64::new(0) }; TENANT_SLOTS],
        }
    }
}

impl CapTable {
    /// The word of a pattern. When all are given away (64 patterns in one lane's life), patterns share.
    fn route_slot(&self, pattern: &str) -> usize {
        let tag = xxh3_64_with_seed(pattern.as_bytes(), 0).max(1);
        let home = tag as usize % ROUTE_SLOTS;
        for step in 0..ROUTE_SLOTS {
            let slot = (home + step) % ROUTE_SLOTS;
            if let Some(word) = self.route_tags.get(slot) {
                match word.compare_exchange(0, tag, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => return slot,
                    Err(other) if other == tag => return slot,
                    Err(_) => {}
                }
            }
        }
        home
    }

    /// Whether a word may be more than one pattern's: none shares before all words are given away, and none is given back.
    fn may_share(&self) -> bool {
        self.route_tags.iter().all(|tag| tag.load(Ordering::Acquire) != 0)
    }

    /// Take a unit of a shadow's own cap, which lies beside the routes' so that it outlives the worker that asks. A debt
    /// that its burst does not explain is forgotten, where it cannot be another pattern's.
    ///
    /// [`Error::Invalid`] for a rate or burst that is none.
    pub fn take_own(&self, shadow: &str, rate: f64, burst: u32, now_ns: u64) -> Result<bool> {
        let quota = Quota::new(rate, burst)?;
        // No pattern of a route begins so: its method is in capitals.
        let slot = self.route_slot(&format!("shadow {shadow}"));
        Ok(self.routes.get(slot).is_some_and(|tat| {
            quota.forget_what_no_burst_explains(tat, now_ns, || self.may_share());
            quota.try_take(tat, 1, now_ns)
        }))
    }
}

/// What a configuration caps beside the lane.
#[derive(Clone, Debug, Default)]
pub struct CapOptions {
    /// `METHOD /path` patterns and their rates, requests a second; the first that matches holds.
    pub routes: Vec<(String, f64)>,
    /// `METHOD /path` patterns and how many units one request costs; the first that matches holds, others cost 1.
    pub weights: Vec<(String, u32)>,
    /// Whose request it is, and each tenant's rate.
    pub tenant: Option<(StickyKey, f64)>,
}

/// The caps of a configuration.
pub struct Caps {
    routes: Vec<(Pattern, Quota, usize)>,
    weights: Vec<(Pattern, u32)>,
    tenant: Option<(StickyKey, Quota)>,
    salt: u64,
}

impl Caps {
    /// Find the words of a configuration's routes. [`Error::Invalid`] for a pattern, rate, weight or key that is none.
    ///
    /// The burst of a route or tenant is what comes in one second, and at least the weight of one request.
    pub fn new(options: &CapOptions, table: &CapTable, burst: u32, salt: u64) -> Result<Self> {
        let mut weights = Vec::with_capacity(options.weights.len());
        for (text, weight) in &options.weights {
            if *weight == 0 || *weight > burst {
                return Err(Error::Invalid {
                    field: "limits.weights",
                    why: format!("{text:?} = {weight} is not from 1 to the burst, {burst}; it could never pass"),
                });
            }
            weights.push((Pattern::parse("limits.weights", text)?, *weight));
        }
        let largest = weights.iter().map(|(_, weight)| *weight).max().unwrap_or(1);
        let quota = |rate: f64| Quota::new(rate, (rate.ceil() as u32).max(largest));
        let mut routes = Vec::with_capacity(options.routes.len());
        for (text, rate) in &options.routes {
            routes.push((Pattern::parse("limits.routes", text)?, quota(*rate)?, table.route_slot(text)));
        }
        let tenant = match &options.tenant {
            Some((key, _)) if key.needs_body() => {
                return Err(Error::Invalid {
                    field: "limits.tenant_key",
                    why: "the body is not there yet when a request is admitted; use header:, cookie: or api_key"
                        .to_owned(),
                });
            }
            Some((key, rate)) => Some((key.clone(), quota(*rate)?)),
            None => None,
        };
        Ok(Self { routes, weights, tenant, salt })
    }

    /// Where a tenant's key comes from.
    pub fn tenant_key(&self) -> Option<&StickyKey> {
        self.tenant.as_ref().map(|(key, _)| key)
    }

    /// What one such request costs.
    pub fn weight(&self, method: &[u8], path: &[u8]) -> u32 {
        self.weights.iter().find(|(pattern, _)| pattern.matches(method, path)).map_or(1, |(_, weight)| *weight)
    }

    /// The budgets that a request draws on beside the lane's. Requests without a tenant's key are one tenant.
    fn budgets<'t>(
        &self,
        table: &'t CapTable,
        method: &[u8],
        path: &[u8],
        tenant: Option<&[u8]>,
    ) -> [Option<(&'t AtomicU64, Quota)>; 2] {
        let of_tenant = self.tenant.as_ref().and_then(|(_, quota)| {
            let hash = xxh3_64_with_seed(tenant.unwrap_or_default(), self.salt);
            Some((table.tenants.get(hash as usize % TENANT_SLOTS)?, *quota))
        });
        let of_route = self
            .routes
            .iter()
            .find(|(pattern, _, _)| pattern.matches(method, path))
            .and_then(|(_, quota, slot)| Some((table.routes.get(*slot)?, *quota)));
        [of_tenant, of_route]
    }

    /// Whether a request's tenant and route have room for it now.
    pub fn have_room(&self, table: &CapTable, request: &CapRequest<'_>) -> bool {
        self.budgets(table, request.method, request.path, request.tenant)
            .into_iter()
            .flatten()
            .all(|(tat, quota)| quota.wait_ns(tat, request.weight, request.now_ns) == Some(0))
    }

    /// Charge a request's tenant and route; `false` when one of them has no room.
    pub fn take(&self, table: &CapTable, request: &CapRequest<'_>) -> bool {
        self.budgets(table, request.method, request.path, request.tenant)
            .into_iter()
            .flatten()
            .all(|(tat, quota)| quota.try_take(tat, request.weight, request.now_ns))
    }

    /// Whether there is any cap beside the lane's.
    pub fn any(&self) -> bool {
        self.tenant.is_some() || !self.routes.is_empty()
    }
}

/// A request that asks for units.
#[derive(Clone, Copy, Debug)]
pub struct CapRequest<'a> {
    /// Upper case.
    pub method: &'a [u8],
    /// As sent, without the query.
    pub path: &'a [u8],
    /// Its tenant's key.
    pub tenant: Option<&'a [u8]>,
    /// How many units.
    pub weight: u32,
    /// CLOCK_MONOTONIC.
    pub now_ns: u64,
}
