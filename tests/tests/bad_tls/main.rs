//! Bad TLS is refused with its reason, by proxies and by control; TLS that is not the mesh's is the app's own; nobody else is hurt.

mod authority;
mod cases;
mod certificates;
mod control;
mod inbound;
