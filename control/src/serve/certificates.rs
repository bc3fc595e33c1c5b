//! Issuing certificates to workloads (`istio.v1.auth.IstioCertificateService`).
//!
//! A first certificate costs a token. On one machine the engine has made it, and it is good once, from the pod's own address; in a cluster the
//! kubelet has, and the API server judges it. A renewal costs the certificate it replaces, shown by the same pod. What the request says
//! of itself is never believed: only its public key is used.

use std::time::Duration;

use certs::{issue::IssueError, name::SpiffeId};
use tonic::{Request, Response, Status, metadata::MetadataMap};
use wire::istio::v1::auth::{
    IstioCertificateRequest, IstioCertificateResponse, istio_certificate_service_server::IstioCertificateService,
};

use super::{
    Issuing, Peer,
    door::Proved,
    reviews::{Bearer, Reviews, Worthless},
    tokens::{Tokens, Worth, hexadecimal},
};
use crate::{clock, index::Pod, state::State};

/// Nobody can renew what lives shorter.
pub(crate) const LIFE_MIN: Duration = Duration::from_secs(10);

/// The service.
pub(crate) struct Certificates {
    issuing: Issuing,
    state: State,
    tellers: Tellers,
}

/// Who tells what a token is worth.
pub(crate) enum Tellers {
    /// The pods of the source, which name the hashes of their tokens.
    Source(Tokens),
    /// The API server.
    Cluster(Reviews),
}

impl Tellers {
    /// The source's pods.
    pub(crate) fn source() -> Self {
        Self::Source(Tokens::default())
    }

    /// The API server that `client` speaks to.
    pub(crate) fn cluster(client: kube::Client) -> Self {
        Self::Cluster(Reviews::new(client))
    }
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
    /// The API server could not be asked about a token.
    TokenUnjudged,
    /// The pod of a token has not been heard of.
    PodUnknown,
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
    pub(crate) const ALL: [Self; 11] = [
        Self::NotLoaded,
        Self::NoProof,
        Self::TokenUnknown,
        Self::TokenUnjudged,
        Self::PodUnknown,
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
            Self::TokenUnjudged => "token_unjudged",
            Self::PodUnknown => "pod_unknown",
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
            Self::NotLoaded | Self::TokenUnjudged | Self::PodUnknown => Status::unavailable(why),
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

#[tonic::async_trait]
impl IstioCertificateService for Certificates {
    async fn create_certificate(
        &self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<Response<IstioCertificateResponse>, Status> {
        let peer = request.extensions().get::<Peer>().cloned().ok_or_else(|| Status::internal("the connection has no peer"))?;
        let issued = self.issue(&peer, request.metadata(), request.get_ref()).await;
        issued.map(|cert_chain| Response::new(IstioCertificateResponse { cert_chain })).map_err(|Refused(reason, why)| {
            self.issuing.metrics.refused(reason);
            let identity = peer.proved.map(|proved| proved.identity.to_string());
            tracing::warn!(address = %peer.address, identity, reason = reason.word(), "no certificate: {why}");
            reason.status(why)
        })
    }
}

impl Certificates {
    pub(crate) fn new(issuing: Issuing, state: State, tellers: Tellers) -> Self {
        Self { issuing, state, tellers }
    }

    async fn issue(
        &self,
        peer: &Peer,
        metadata: &MetadataMap,
        request: &IstioCertificateRequest,
    ) -> Result<Vec<String>, Refused> {
        if !self.state.is_loaded() {
            return Err(Refused(Reason::NotLoaded, String::from("control has not read its source yet; try again")));
        }
        match (&peer.proved, &self.tellers) {
            (Some(proved), _) => self.sign(&self.renewing(peer, proved)?, request),
            (None, Tellers::Cluster(reviews)) => {
                let pod = self.reviewed(peer, bearer(metadata)?, reviews).await?;
                self.sign(&pod, request)
            }
            (None, Tellers::Source(tokens)) => {
                let hash = hexadecimal(bearer(metadata)?.as_bytes());
                let pod = self.shown(peer, &hash, &request.csr, tokens)?;
                self.sign(&pod, request).inspect_err(|_| tokens.give_back(&hash))
            }
        }
    }

    fn sign(&self, pod: &Pod, request: &IstioCertificateRequest) -> Result<Vec<String>, Refused> {
        let Issuing { authority, trust_domain, metrics, .. } = &self.issuing;
        let id = SpiffeId::new(trust_domain, &pod.key.namespace, &pod.service_account)
            .map_err(|error| Refused(Reason::Unnameable, format!("pod {}: {error}", pod.key)))?;
        let life = life(request.validity_duration, self.issuing.lifetime);
        let issued = authority.issue_to_pod(&request.csr, &id, &pod.uid, life, clock::wall()).map_err(|error| {
            let reason = if matches!(error, IssueError::Signing(_)) { Reason::Signing } else { Reason::BadRequest };
            Refused(reason, error.to_string())
        })?;
        metrics.issued();
        tracing::info!(%id, pod = %pod.key, uid = pod.uid, serial = issued.serial, "certificate issued");
        Ok(issued.chain_pem)
    }

    /// The pod that the kubelet has given a token to.
    async fn reviewed(&self, peer: &Peer, token: &str, reviews: &Reviews) -> Result<Pod, Refused> {
        let Bearer { pod, uid, service_account } = reviews.who(token).await.map_err(|worthless| match worthless {
            Worthless::Unasked(why) => Refused(Reason::TokenUnjudged, why),
            Worthless::Refused(why) => Refused(Reason::TokenUnknown, format!("this token proves nothing: {why}")),
        })?;
        let Some(known) = self.state.pod_with_uid(&uid) else {
            let why = format!("the pod {pod} with UID {uid} has not been heard of yet, or is gone; try again");
            return Err(Refused(Reason::PodUnknown, why));
        };
        let address = peer.address.ip().to_canonical();
        if known.key != pod || known.service_account != service_account || !known.may_be_at(address) {
            tracing::warn!(owner = %known.key, %address, "a token was shown from an address that is not its pod's");
            return Err(Refused(Reason::TokenStolen, format!("this token belongs to a pod at another address than {address}")));
        }
        Ok(known)
    }

    /// The pod whose token, with this hash, was shown.
    fn shown(&self, peer: &Peer, hash: &str, csr: &str, tokens: &Tokens) -> Result<Pod, Refused> {
        let address = peer.address.ip().to_canonical();
        match tokens.take(&self.state, hash, address, csr) {
            Worth::Good(pod) => Ok(*pod),
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
    fn renewing(&self, peer: &Peer, proved: &Proved) -> Result<Pod, Refused> {
        let Proved { identity, pod_uid, .. } = proved;
        let address = peer.address.ip();
        let pods = self.state.pods_of(address, pod_uid.as_deref(), identity.namespace(), identity.service_account());
        pods.into_iter().next().ok_or_else(|| {
            let why = format!(
                "no pod of {identity} that had this certificate is known at {address}: it is gone, or its certificate was stolen"
            );
            Refused(Reason::RenewalWithoutPod, why)
        })
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
