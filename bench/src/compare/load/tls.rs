//! Connections to an inbound sidecar as another sidecar makes them.

use std::sync::Arc;

use anyhow::Context as _;
use certs::{bundle::Bundle, store::Identity};
use rustls::ClientConfig;

use super::order::Tls;
use crate::clock;

/// Weft's own client, with another protocol to ask for: TLS 1.3 only, post-quantum key exchange first, nothing resumed.
///
/// # Errors
/// A file cannot be read, or does not hold what it should.
pub(super) fn client(tls: &Tls) -> anyhow::Result<Arc<ClientConfig>> {
    let read = |file| std::fs::read(file).with_context(|| format!("cannot read {}", std::path::Path::display(file)));
    let bundle = Bundle::from_pem(&read(&tls.root)?)?;
    let identity = Identity::from_pem(&read(&tls.certificate)?, &read(&tls.key)?, &bundle, clock::wall())?;
    let mut config = (*identity.mesh_client(&tls.expected.parse()?)).clone();
    config.alpn_protocols = vec![tls.alpn.clone().into_bytes()];
    Ok(Arc::new(config))
}
