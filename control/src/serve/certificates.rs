//! Issuing certificates to workloads (`istio.v1.auth.IstioCertificateService`).
//!
//! A first certificate costs a token, shown once and from the pod's own address. A renewal costs the certificate it
//! replaces. What the request says of itself is never believed: only its public key is used.

use certs::{issue::IssueError, name::SpiffeId};
use tonic::{Request, Response, Status, metadata::MetadataMap};
use wire::istio::v1::auth::{
    IstioCertificateRequest, IstioCertificateResponse, istio_certificate_service_server::IstioCertificateService,
};

use super::{Issuing, Peer};
use crate::{
    clock,
    index::Pod,
    state::{State, Token},
};

/// The service.
pub(crate) struct Certificates {
    pub(crate) issuing: Issuing,
    pub(crate) state: State,
}

/// Why nothing is issued: the word in metrics, and what the asker is told.
struct Refused {
    reason: &'static str,
    status: Status,
}

fn refused(reason: &'static str, status: Status) -> Refused {
    Refused { reason, status }
}

#[tonic::async_trait]
impl IstioCertificateService for Certificates {
    async fn create_certificate(
        &self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<Response<IstioCertificateResponse>, Status> {
        let peer = request.extensions().get::<Peer>().cloned().ok_or_else(|| Status::internal("the connection has no peer"))?;
        let issued = self.issue(&peer, request.metadata(), &request.get_ref().csr);
        issued.map(|cert_chain| Response::new(IstioCertificateResponse { cert_chain })).map_err(|Refused { reason, status }| {
            self.issuing.metrics.refused(reason);
            tracing::warn!(address = %peer.address, reason, "no certificate: {}", status.message());
            status
        })
    }
}

impl Certificates {
    fn issue(&self, peer: &Peer, metadata: &MetadataMap, csr: &str) -> Result<Vec<String>, Refused> {
        if !self.state.is_loaded() {
            return Err(refused("not_loaded", Status::unavailable("control has not read its source yet; try again")));
        }
        let token = match &peer.identity {
            Some(_) => None,
            None => Some(hash(bearer(metadata)?)),
        };
        let pod = match (&peer.identity, &token) {
            (Some(identity), _) => self.renewing(peer, identity)?,
            (None, Some(token)) => self.shown(peer, token)?,
            (None, None) => return Err(refused("no_proof", Status::unauthenticated("neither token nor certificate"))),
        };
        let issued = self.sign(&pod, csr);
        if let (Err(_), Some(token)) = (&issued, &token) {
            self.state.give_token_back(token);
        }
        issued
    }

    fn sign(&self, pod: &Pod, csr: &str) -> Result<Vec<String>, Refused> {
        let Issuing { authority, trust_domain, lifetime, metrics } = &self.issuing;
        let id = SpiffeId::new(trust_domain, &pod.key.namespace, &pod.service_account)
            .map_err(|error| refused("unnameable", Status::failed_precondition(format!("pod {}: {error}", pod.key))))?;
        let issued = authority.issue(csr, &id, *lifetime, clock::wall()).map_err(|error| {
            let message = error.to_string();
            match error {
                IssueError::Signing(_) => refused("signing", Status::internal(message)),
                _ => refused("bad_request", Status::invalid_argument(message)),
            }
        })?;
        metrics.issued();
        tracing::info!(%id, pod = %pod.key, uid = pod.uid, serial = issued.serial, "certificate issued");
        Ok(issued.chain_pem)
    }

    /// The pod whose token was shown.
    fn shown(&self, peer: &Peer, token: &str) -> Result<Pod, Refused> {
        let address = peer.address.ip().to_canonical();
        match self.state.take_token(token, address) {
            Token::Good(pod) => Ok(pod),
            Token::Unknown => {
                Err(refused("token_unknown", Status::unauthenticated("nobody has this token; the pod may be gone")))
            }
            Token::Used => {
                let told = "this token was shown before, and each is good once: ask the engine for a new one, and find out who showed it";
                Err(refused("token_reused", Status::unauthenticated(told)))
            }
            Token::Foreign(pod) => {
                tracing::warn!(owner = %pod.key, %address, "a token was shown from an address that is not its pod's");
                Err(refused("token_stolen", Status::permission_denied("this token belongs to a pod at another address")))
            }
        }
    }

    /// The pod that shows the certificate it holds.
    fn renewing(&self, peer: &Peer, identity: &SpiffeId) -> Result<Pod, Refused> {
        let address = peer.address.ip().to_canonical();
        let pod = self
            .state
            .pod_at(address)
            .filter(|pod| pod.key.namespace == identity.namespace() && pod.service_account == identity.service_account());
        pod.ok_or_else(|| {
            let told = format!("no pod of {identity} is known at {address}");
            refused("renewal_without_pod", Status::permission_denied(told))
        })
    }
}

fn bearer(metadata: &MetadataMap) -> Result<&str, Refused> {
    let value = metadata.get("authorization").and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    token.filter(|token| !token.is_empty()).ok_or_else(|| {
        refused("no_proof", Status::unauthenticated("show a certificate of the mesh, or a token as `authorization: Bearer …`"))
    })
}

/// How tokens are remembered: whoever reads our memory or our source learns no token.
fn hash(token: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
