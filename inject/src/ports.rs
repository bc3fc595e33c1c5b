//! The sidecar's ports.

/// Where it answers the kubelet.
pub(crate) const ADMIN_PORT: u16 = 17003;

/// Where nobody listens: what is sent there arrives at the sidecar if it is redirected.
pub(crate) const REDIRECT_CHECK_PORT: u16 = 17004;

/// All of them; the first two are for redirected calls.
pub(crate) const PORTS: std::ops::RangeInclusive<u64> = 17001..=17004;
