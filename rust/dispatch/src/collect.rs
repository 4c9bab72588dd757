//! What is known of an answer while it comes: it outlives the call that a deadline cuts short.

use std::time::Instant;

use crate::answer::Sink;
use crate::body::BoundedBody;
use crate::fault::Fault;
use crate::head::{Head, Header};

/// An answer on its way.
pub struct Collected {
    limit: usize,
    began: Instant,
    /// 0: no head has come.
    pub status: u16,
    /// Those of the head that describe the decoded body.
    pub headers: Vec<Header>,
    /// From the call's beginning to the answer's head.
    pub head_ns: u64,
    body: Option<BoundedBody>,
}

impl Collected {
    /// `limit` in decoded bytes; times count from `began`.
    pub fn new(limit: usize, began: Instant) -> Self {
        Self { limit, began, status: 0, headers: Vec::new(), head_ns: 0, body: None }
    }

    /// The decoded body. Beside [`Fault::TooLarge`] it is cut at the limit, beside any other there is none.
    pub fn finish(&mut self) -> (Vec<u8>, Option<Fault>) {
        match self.body.take().map(BoundedBody::finish) {
            None => (Vec::new(), None),
            Some(Ok((body, over))) => (body, over.then_some(Fault::TooLarge)),
            Some(Err(fault)) => (Vec::new(), Some(fault)),
        }
    }
}

impl Sink for Collected {
    fn head(&mut self, head: Head) -> Result<(), Fault> {
        self.head_ns = elapsed_ns(self.began);
        self.status = head.status;
        let body = BoundedBody::new(&head.encoding, self.limit);
        self.headers = head.kept();
        self.body = Some(body?);
        Ok(())
    }

    fn body(&mut self, piece: &[u8]) -> Result<bool, Fault> {
        self.body.as_mut().map_or(Ok(false), |body| body.feed(piece))
    }
}

/// Since `began`, in whole nanoseconds and at least one.
pub fn elapsed_ns(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
}
