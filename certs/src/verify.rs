//! Who is at the other end, and may we believe it?
//!
//! Names are SPIFFE IDs, never DNS names. A certificate is believed when it chains to the bundle, is valid now, and carries
//! exactly one URI SAN (X.509-SVID, section 2); a client besides expects one certain identity, a server any of its trust
//! domain.

use std::{borrow::Cow, sync::Arc, time::Duration};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, verify_tls13_signature},
    server::{
        ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::{
    der_parser::asn1_rs::Tag,
    oid_registry::OID_X509_SERIALNUMBER,
    prelude::{FromDer, GeneralName, X509Certificate, X509Name},
};

use crate::{
    bundle::Bundle,
    known::{Known, Usage},
    name::{NameError, SpiffeId, TrustDomain, shortened},
    tls,
};

/// `uniformResourceIdentifier` of a `GeneralName` (RFC 5280, section 4.2.1.6).
const URI_TAG: Tag = Tag(6);

/// Roots that a refusal names; a bundle may hold many.
const TRUSTED_NAMED: usize = 3;

/// Why a certificate is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It proves somebody else.
    #[error("it proves {presented}, and {expected} was expected")]
    WrongIdentity {
        /// Who should be there.
        expected: SpiffeId,
        /// Who is.
        presented: SpiffeId,
    },
    /// It is of another mesh.
    #[error("it is of the trust domain {presented}, and ours is {expected}")]
    WrongTrustDomain {
        /// Our trust domain.
        expected: TrustDomain,
        /// The certificate's.
        presented: TrustDomain,
    },
    /// An X.509-SVID has exactly one URI name.
    #[error("it has {0} URI names, and an X.509-SVID has exactly one")]
    NotOneName(usize),
    /// Its name is not a SPIFFE ID of ours.
    #[error("its name cannot be used: {0}")]
    Name(#[from] NameError),
    /// Its time is over.
    #[error("it ended at {not_after} (Unix time) and our clock says {now}")]
    Expired {
        /// End of its life, Unix seconds.
        not_after: u64,
        /// Our clock, Unix seconds.
        now: u64,
    },
    /// Its time has not come.
    #[error("it begins at {not_before} (Unix time) and our clock says {now}")]
    NotYetValid {
        /// Begin of its life, Unix seconds.
        not_before: u64,
        /// Our clock, Unix seconds.
        now: u64,
    },
    /// No root of ours vouches for it.
    #[error("it was issued by `{issuer}`, and our trust bundle holds {trusted}")]
    UnknownIssuer {
        /// Who it says has issued it.
        issuer: String,
        /// The first few roots of ours.
        trusted: String,
    },
    /// It cannot be read, or breaks a rule of X.509.
    #[error("it is malformed: {0}")]
    Malformed(String),
    /// The peer does not hold its key, or was tampered with.
    #[error("its signature is wrong")]
    BadSignature,
}

/// Finds why a handshake failed, when it was about the peer's certificate.
pub fn explain(error: &Error) -> Option<VerifyError> {
    let Error::InvalidCertificate(error) = error else { return None };
    let seconds = |time: &UnixTime| time.as_secs();
    Some(match error {
        CertificateError::Other(OtherError(inner)) => match inner.downcast_ref::<VerifyError>() {
            Some(ours) => ours.clone(),
            None => VerifyError::Malformed(inner.to_string()),
        },
        CertificateError::ExpiredContext { time, not_after } => {
            VerifyError::Expired { not_after: seconds(not_after), now: seconds(time) }
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            VerifyError::NotYetValid { not_before: seconds(not_before), now: seconds(time) }
        }
        CertificateError::BadSignature => VerifyError::BadSignature,
        other => VerifyError::Malformed(other.to_string()),
    })
}

/// Who `certificate` proves, if a chain is found to be good.
///
/// # Errors
/// It has not exactly one URI name, or that is no SPIFFE ID of ours.
pub fn peer_id(certificate: &CertificateDer<'_>) -> Result<SpiffeId, VerifyError> {
    let malformed = |error: &dyn std::fmt::Display| VerifyError::Malformed(error.to_string());
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| malformed(&error))?;
    let names = parsed.subject_alternative_name().map_err(|error| malformed(&error))?;
    let names = names.iter().flat_map(|extension| &extension.value.general_names);
    let names: Vec<Cow<'_, str>> = names.filter_map(uri).collect();
    match &names[..] {
        [name] => Ok(name.parse()?),
        _ => Err(VerifyError::NotOneName(names.len())),
    }
}

/// The pod that `certificate` was issued to, by its UID, which is the `serialNumber` of its subject (X.520, section 6.2.9); `None` if it
/// says of none. Identities outlive pods, and addresses pass
/// from one to another: by this a pod is told from whoever had its identity and its address before.
pub fn pod_uid(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let attribute = parsed.subject().iter_by_oid(&OID_X509_SERIALNUMBER).next()?;
    attribute.as_str().ok().map(str::to_owned)
}

/// The URI that `name` is. One that is not text counts as well, or a certificate could carry a second name unseen; it is
/// quoted with replacement characters, which no SPIFFE ID has.
fn uri<'a>(name: &GeneralName<'a>) -> Option<Cow<'a, str>> {
    match name {
        GeneralName::URI(uri) => Some(Cow::Borrowed(uri)),
        GeneralName::Invalid(tag, bytes) if *tag == URI_TAG => Some(String::from_utf8_lossy(bytes)),
        _ => None,
    }
}

/// `certificate` in PEM form.
pub(crate) fn pem(certificate: &CertificateDer<'_>) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", certificate.as_ref()))
}

/// How far a peer's clock may differ before certificates that were just issued are refused: their `notBefore` is set
/// back by as much.
pub const SKEW: Duration = Duration::from_secs(60);

/// Believes a server that proves `expected`.
#[derive(Debug)]
pub(crate) struct ServerVerifier {
    roots: RootCertStore,
    known: Arc<Known>,
    expected: SpiffeId,
    provider: Arc<CryptoProvider>,
}

/// Believes every client of a trust domain.
#[derive(Debug)]
pub(crate) struct ClientVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    roots: Arc<RootCertStore>,
    known: Arc<Known>,
    trust_domain: TrustDomain,
}

impl ServerVerifier {
    /// `known` holds chains that were found good against `bundle`.
    pub(crate) fn new(bundle: &Bundle, known: Arc<Known>, expected: SpiffeId) -> Arc<Self> {
        Arc::new(Self { roots: bundle.store(), known, expected, provider: tls::provider() })
    }
}

impl ClientVerifier {
    /// `known` holds chains that were found good against `bundle`. Fails when no root of that can be used.
    pub(crate) fn new(
        bundle: &Bundle,
        known: Arc<Known>,
        trust_domain: TrustDomain,
        required: bool,
    ) -> Result<Arc<Self>, VerifyError> {
        let roots = Arc::new(bundle.store());
        let builder = WebPkiClientVerifier::builder_with_provider(roots.clone(), tls::provider());
        let builder = if required { builder } else { builder.allow_unauthenticated() };
        let chain = builder.build().map_err(|error| VerifyError::Malformed(format!("the trust bundle: {error}")))?;
        Ok(Arc::new(Self { chain, roots, known, trust_domain }))
    }
}

fn refuse(why: VerifyError) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why))))
}

/// Checks that `certificate` chains to `roots` and is valid at `now`.
pub(crate) fn check_chain(
    certificate: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &RootCertStore,
    provider: &CryptoProvider,
    now: UnixTime,
) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    let algorithms = provider.signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)
        .map_err(|error| naming_roots(error, certificate, roots))
}

/// Adds both sides' facts to "unknown issuer". Other errors bring their own, and keep the TLS alert that fits them.
fn naming_roots(error: Error, certificate: &CertificateDer<'_>, roots: &RootCertStore) -> Error {
    if error != Error::InvalidCertificate(CertificateError::UnknownIssuer) {
        return error;
    }
    let issuer = X509Certificate::from_der(certificate).map(|(_, parsed)| shortened(&parsed.issuer().to_string()));
    let subjects = roots.subjects();
    let named = subjects.iter().take(TRUSTED_NAMED).map(|subject| match X509Name::from_der(subject.as_ref()) {
        Ok((_, name)) => format!("`{}`", shortened(&name.to_string())),
        Err(_) => String::from("a root whose name cannot be read"),
    });
    let mut trusted = named.collect::<Vec<_>>().join(", ");
    if subjects.len() > TRUSTED_NAMED {
        trusted.push_str(&format!(" and {} more", subjects.len() - TRUSTED_NAMED));
    }
    refuse(VerifyError::UnknownIssuer { issuer: issuer.unwrap_or_default(), trusted })
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = self.known.who(Usage::Server, &whole(certificate, intermediates), now, || {
            check_chain(certificate, intermediates, &self.roots, &self.provider, now)?;
            peer_id(certificate).map_err(refuse)
        })?;
        if presented != self.expected {
            return Err(refuse(VerifyError::WrongIdentity { expected: self.expected.clone(), presented }));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Every member of the mesh has one certificate; a hint would only cost bytes in each handshake.
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let presented = self.known.who(Usage::Client, &whole(certificate, intermediates), now, || {
            self.chain
                .verify_client_cert(certificate, intermediates, now)
                .map_err(|error| naming_roots(error, certificate, &self.roots))?;
            peer_id(certificate).map_err(refuse)
        })?;
        if *presented.trust_domain() != self.trust_domain {
            let presented = presented.trust_domain().clone();
            return Err(refuse(VerifyError::WrongTrustDomain { expected: self.trust_domain.clone(), presented }));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// All that a peer shows, its own certificate first.
fn whole<'a, 'b>(certificate: &'a CertificateDer<'b>, intermediates: &'a [CertificateDer<'b>]) -> Vec<&'a CertificateDer<'b>> {
    std::iter::once(certificate).chain(intermediates).collect()
}

fn only_tls13() -> Error {
    Error::General(String::from("the mesh speaks TLS 1.3 alone"))
}
