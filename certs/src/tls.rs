//! What our TLS is made of: TLS 1.3 only, one list of key exchanges, ALPN names.

use std::sync::{Arc, LazyLock};

use rustls::{
    ClientConfig,
    client::Resumption,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, cipher_suite},
    },
    version::TLS13,
};

use crate::{bundle::Bundle, known::Known, name::SpiffeId, verify::ServerVerifier};

/// ALPN of the mesh hop: tells mesh traffic from an app's own TLS.
pub const MESH_ALPN: &[u8] = b"weft/1";

/// ALPN of gRPC, to control.
pub(crate) const GRPC_ALPN: &[u8] = b"h2";

/// Cryptography of the mesh, from aws-lc-rs: `X25519MLKEM768` first, so that what is recorded today stays secret when
/// quantum computers come, then `X25519`. `AES_128_GCM` first: a quarter less work than with the longer key, and as far out of
/// anybody's reach.
///
/// Always passed on by hand: a process-wide default would depend on what other crates were compiled with.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            cipher_suites: vec![
                cipher_suite::TLS13_AES_128_GCM_SHA256,
                cipher_suite::TLS13_AES_256_GCM_SHA384,
                cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            ],
            kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519],
            ..aws_lc_rs::default_provider()
        })
    });
    PROVIDER.clone()
}

/// A client without a certificate that believes only `expected`: for the very first call to the certificate service.
pub fn bootstrap_client(bundle: &Bundle, expected: &SpiffeId) -> Arc<ClientConfig> {
    let mut config = client_builder(bundle, Arc::default(), expected).with_no_client_auth();
    config.alpn_protocols = vec![GRPC_ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// A client configuration that still wants to know what to show of itself.
pub(crate) fn client_builder(
    bundle: &Bundle,
    known: Arc<Known>,
    expected: &SpiffeId,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has TLS 1.3 cipher suites")
        .dangerous()
        .with_custom_certificate_verifier(ServerVerifier::new(bundle, known, expected.clone()))
}
