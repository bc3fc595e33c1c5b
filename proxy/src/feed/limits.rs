//! How often may be asked, as it is written in resources. A limit that is said again is the same limit, and goes on counting.

use std::{
    num::NonZeroU32,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use hashbrown::HashMap;

use crate::rate_limit::{Rate, RateLimit};

/// The limits that are in force, by how they are written.
#[derive(Debug, Default)]
pub(super) struct Limits(HashMap<String, Weak<RateLimit>>);

impl Limits {
    /// The limits in `text`, one a line: those that are new begin to count at `now`.
    ///
    /// # Errors
    /// What is wrong with one.
    pub(super) fn read(&mut self, text: &str, now: Instant) -> Result<Vec<Arc<RateLimit>>, String> {
        self.0.retain(|_, limit| limit.strong_count() > 0);
        text.lines().map(|line| self.one(line, now)).collect()
    }

    fn one(&mut self, line: &str, now: Instant) -> Result<Arc<RateLimit>, String> {
        if let Some(known) = self.0.get(line).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let new = Arc::new(limit(line, now).ok_or_else(|| format!("{line:?} is not a limit of how often may be asked"))?);
        self.0.insert(line.to_owned(), Arc::downgrade(&new));
        Ok(new)
    }
}

/// `REQUESTS/MILLISECONDS/BURST/all NAME`, or `…/client NAME`.
fn limit(line: &str, now: Instant) -> Option<RateLimit> {
    let (said, _name) = line.split_once(' ')?;
    let mut parts = said.split('/');
    let mut number = || parts.next()?.parse::<NonZeroU32>().ok();
    let (requests, per, burst) = (number()?, number()?, number()?);
    let rate = Rate { requests, per: Duration::from_millis(per.get().into()), burst };
    match (parts.next()?, parts.next()) {
        ("all", None) => Some(RateLimit::together(rate, now)),
        ("client", None) => Some(RateLimit::by_client(rate, now)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_limit_that_is_said_again_goes_on_counting() {
        let now = clock::now();
        let mut limits = Limits::default();
        let first = limits.read("1/1000/1/all a\n5/1000/5/client b", now).unwrap();
        let again = limits.read("5/1000/5/client b\n1/1000/1/all c", now).unwrap();
        assert!(Arc::ptr_eq(&first[1], &again[0]) && !Arc::ptr_eq(&first[0], &again[1]));
        drop((first, again));
        limits.read("", now).unwrap();
        assert!(limits.0.is_empty(), "what nobody has is forgotten");
    }

    #[test]
    fn what_is_no_limit_is_told() {
        for wrong in ["1/1000/1/all", "0/1000/1/all a", "1/1000/all a", "1/1000/1/some a", "1/1000/1/all/2 a", "x a"] {
            assert!(Limits::default().read(wrong, clock::now()).unwrap_err().contains("is not a limit"), "{wrong}");
        }
    }
}
