//! Issuing certificates to workloads (`istio.v1.auth.IstioCertificateService`).
//!
//! A first certificate costs a token, shown once and from the pod's own address. A renewal costs the certificate it
//! replaces. What the request says of itself is never believed: only its public key is used.

use std::time::Duration;

use certs::{issue::IssueError, name::SpiffeId};
use tonic::{Request, Response, Status, metadata::MetadataMap};
use wire::istio::v1::auth::{
    IstioCertificateRequest, IstioCertificateResponse, istio_certificate_service_server::IstioCertificateService,
};

use super::{
    Issuing, Peer,
    tokens::{Tokens, Worth, hexadecimal},
};
use crate::{clock, index::Pod, state::State};

/// Nobody can renew what lives shorter.
pub(crate) const LIFE_MIN: Duration = Duration::from_secs(10);

/// The service.
pub(crate) struct Certificates {
    issuing: Issuing,
    state: State,
    tokens: Tokens,
}

/// Why nothing is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Control has not read its source yet.
    NotLoaded,
    /// Neither token nor certificate.
    NoProof,
    /// A token nobody has.
    TokenUnknown,
    /// A token that was shown before.
    TokenReused,
    /// A token shown from an address that is not its pod's.
    TokenStolen,
    /// A certificate whose pod is not at that address.
    RenewalWithoutPod,
    /// The certificate request cannot be used.
    BadRequest,
    /// The pod's names make no SPIFFE ID.
    Unnameable,
    /// We could not sign.
    Signing,
}

impl Reason {
    pub(crate) const ALL: [Self; 9] = [
        Self::NotLoaded,
        Self::NoProof,
        Self::TokenUnknown,
        Self::TokenReused,
        Self::TokenStolen,
        Self::RenewalWithoutPod,
        Self::BadRequest,
        Self::Unnameable,
        Self::Signing,
    ];

    /// The word in metrics and logs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotLoaded => "not_loaded",
            Self::NoProof => "no_proof",
            Self::TokenUnknown => "token_unknown",
            Self::TokenReused => "token_reused",
            Self::TokenStolen => "token_stolen",
            Self::RenewalWithoutPod => "renewal_without_pod",
            Self::BadRequest => "bad_request",
            Self::Unnameable => "unnameable",
            Self::Signing => "signing",
        }
    }

    /// What the asker is told.
    fn status(self, why: impl Into<String>) -> Status {
        match self {
            Self::NotLoaded => Status::unavailable(why),
            Self::NoProof | Self::TokenUnknown | Self::TokenReused => Status::unauthenticated(why),
            Self::TokenStolen | Self::RenewalWithoutPod => Status::permission_denied(why),
            Self::BadRequest => Status::invalid_argument(why),
            Self::Unnameable => Status::failed_precondition(why),
            Self::Signing => Status::internal(why),
        }
    }
}

/// A reason, with what there is to say about it.
struct Refused(Reason, String);

/// What a request is granted for.
struct Granted {
    pod: Box<Pod>,
    /// The token that was used up, by its hash.
    token: Option<String>,
}

#[tonic::async_trait]
impl IstioCertificateService for Certificates {
    async fn create_certificate(
        &self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<Response<IstioCertificateResponse>, Status> {
        let peer = request.extensions().get::<Peer>().cloned().ok_or_else(|| Status::internal("the connection has no peer"))?;
        let issued = self.issue(&peer, request.metadata(), request.get_ref());
        issued.map(|cert_chain| Response::new(IstioCertificateResponse { cert_chain })).map_err(|Refused(reason, why)| {
            self.issuing.metrics.refused(reason);
            let identity = peer.proved.map(|proved| proved.identity.to_string());
            tracing::warn!(address = %peer.address, identity, reason = reason.word(), "no certificate: {why}");
            reason.status(why)
        })
    }
}

impl Certificates {
    pub(crate) fn new(issuing: Issuing, state: State) -> Self {
        Self { issuing, state, tokens: Tokens::default() }
    }

    fn issue(&self, peer: &Peer, metadata: &MetadataMap, request: &IstioCertificateRequest) -> Result<Vec<String>, Refused> {
        if !self.state.is_loaded() {
            return Err(Refused(Reason::NotLoaded, String::from("control has not read its source yet; try again")));
        }
        let granted = match &peer.proved {
            Some(proved) => self.renewing(peer, &proved.identity)?,
            None => self.shown(peer, bearer(metadata)?, &request.csr)?,
        };
        let issued = self.sign(&granted.pod, request);
        if let (Err(_), Some(token)) = (&issued, &granted.token) {
            self.tokens.give_back(token);
        }
        issued
    }

    fn sign(&self, pod: &Pod, request: &IstioCertificateRequest) -> Result<Vec<String>, Refused> {
        let Issuing { authority, trust_domain, metrics, .. } = &self.issuing;
        let id = SpiffeId::new(trust_domain, &pod.key.namespace, &pod.service_account)
            .map_err(|error| Refused(Reason::Unnameable, format!("pod {}: {error}", pod.key)))?;
        let life = life(request.validity_duration, self.issuing.lifetime);
        let issued = authority.issue(&request.csr, &id, life, clock::wall()).map_err(|error| {
            let reason = if matches!(error, IssueError::Signing(_)) { Reason::Signing } else { Reason::BadRequest };
            Refused(reason, error.to_string())
        })?;
        metrics.issued();
        tracing::info!(%id, pod = %pod.key, uid = pod.uid, serial = issued.serial, "certificate issued");
        Ok(issued.chain_pem)
    }

    /// The pod whose token was shown.
    fn shown(&self, peer: &Peer, token: &str, csr: &str) -> Result<Granted, Refused> {
        let hash = hexadecimal(token.as_bytes());
        let address = peer.address.ip().to_canonical();
        match self.tokens.take(&self.state, &hash, address, csr) {
            Worth::Good(pod) => Ok(Granted { pod, token: Some(hash) }),
            Worth::Unknown => {
                let why = "nobody has this token: the pod is gone, or has a newer one, or control has not heard of it yet";
                Err(Refused(Reason::TokenUnknown, String::from(why)))
            }
            Worth::Used(pod) => {
                tracing::warn!(owner = %pod.key, %address, "a token was shown again");
                let why = "this token was shown before, and each is good once: start the sidecar again for a new one, and find out who showed it";
                Err(Refused(Reason::TokenReused, String::from(why)))
            }
            Worth::Foreign(pod) => {
                tracing::warn!(owner = %pod.key, %address, "a token was shown from an address that is not its pod's");
                Err(Refused(Reason::TokenStolen, format!("this token belongs to a pod at another address than {address}")))
            }
        }
    }

    /// The pod that shows the certificate it holds.
    fn renewing(&self, peer: &Peer, identity: &SpiffeId) -> Result<Granted, Refused> {
        let pods = self.state.pods_at(peer.address.ip());
        match pods.into_iter().find(|pod| pod.has_names(identity.namespace(), identity.service_account())) {
            Some(pod) => Ok(Granted { pod: Box::new(pod), token: None }),
            None => {
                let why =
                    format!("no pod of {identity} is known at {}: it is gone, or its certificate was stolen", peer.address.ip());
                Err(Refused(Reason::RenewalWithoutPod, why))
            }
        }
    }
}

/// How long a certificate shall live: as long as asked for, and no longer than we let any. Nothing is asked for by 0.
fn life(asked_seconds: i64, most: Duration) -> Duration {
    match u64::try_from(asked_seconds) {
        Ok(0) | Err(_) => most,
        Ok(seconds) => Duration::from_secs(seconds).max(LIFE_MIN).min(most),
    }
}

fn bearer(metadata: &MetadataMap) -> Result<&str, Refused> {
    let value = metadata.get("authorization").and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    token.filter(|token| !token.is_empty()).ok_or_else(|| {
        Refused(Reason::NoProof, String::from("show a certificate of the mesh, or a token as `authorization: Bearer …`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_life_is_granted_and_a_longer_one_is_not() {
        let most = Duration::from_secs(3600);
        for (asked, granted) in [(0, 3600), (-1, 3600), (60, 60), (1, 10), (i64::MAX, 3600)] {
            assert_eq!(life(asked, most), Duration::from_secs(granted), "{asked}");
        }
    }

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
