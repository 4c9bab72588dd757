//! Whether there is room for a request at this moment: a pause, the ring's fill, the caps.
//!
//! Invariants: what is checked here depends on the moment and not on the request's eligibility; a request that finds no
//! room in one cap takes nothing from the others, but for a race for the last unit.

use std::sync::atomic::Ordering;

use super::Lane;
use crate::caps::CapRequest;
use crate::files::RingFile;
use shadowlane_base::Reason;
use shadowlane_ring::Memory;

impl Lane {
    /// Why nothing is taken at this moment, whatever the request.
    pub(super) fn refuses(&self, ring: &RingFile, now_ns: u64) -> Option<Reason> {
        if let Some((reason, _)) = self.control.get().throttle.paused_at(now_ns) {
            return Some(reason);
        }
        if self.shed_bytes < ring.capacity() {
            let cursors = ring.cursors();
            // The head first: it may pass a tail that was read before it, and the difference would wrap.
            let head = cursors.head.0.load(Ordering::Acquire);
            let used = cursors.tail.0.load(Ordering::Relaxed).wrapping_sub(head);
            if used > self.shed_bytes {
                return Some(Reason::RingFull);
            }
        }
        None
    }

    /// Whether all caps have room for a request.
    pub(super) fn has_room(&self, request: &CapRequest<'_>) -> bool {
        let control = self.control.get();
        self.caps.have_room(&control.caps, request)
            && (!self.cap_at_admission || control.has_room(request.weight, request.now_ns))
    }

    /// Take a request's units from all caps, or from none but in a race for the last one.
    pub(super) fn charge(&self, request: &CapRequest<'_>) -> bool {
        let control = self.control.get();
        if control.lease.is_required() {
            control.lease.want(request.weight);
        }
        // Looked at first, so that a cap that is used up does not eat the others' units.
        if self.caps.any() && !(self.has_room(request) && self.caps.take(&control.caps, request)) {
            return false;
        }
        !self.cap_at_admission || control.take(request.weight, request.now_ns)
    }
}
