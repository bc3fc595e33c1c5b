//! What ports were heard to speak, so that HTTP ports are not dialled twice for nothing.

use std::{cell::RefCell, net::SocketAddr};

use foldhash::HashMap;

/// Ports remembered at once. Past that, all is forgotten and learned anew: a memory costs one idle dial, no more.
const PORTS_MAX: usize = 4096;

/// A worker's memory of verdicts, by original destination.
#[derive(Debug, Default)]
pub struct Memory(RefCell<HashMap<SocketAddr, bool>>);

impl Memory {
    /// Whether `port` was last heard to speak HTTP.
    pub fn says_http(&self, port: SocketAddr) -> bool {
        self.0.borrow().get(&port).copied().unwrap_or(false)
    }

    /// Remembers what `port` spoke.
    pub fn heard(&self, port: SocketAddr, http: bool) {
        let mut ports = self.0.borrow_mut();
        if ports.len() >= PORTS_MAX && !ports.contains_key(&port) {
            ports.clear();
        }
        ports.insert(port, http);
    }
}
