//! One request for a certificate (`istio.v1.auth.IstioCertificateService`).

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, ensure};
use certs::{bundle::Bundle, name::SpiffeId, request::Pending, store::Identity, tls};
use tonic::{Request, metadata::MetadataValue};
use wire::istio::v1::auth::{IstioCertificateRequest, istio_certificate_service_client::IstioCertificateServiceClient};

use crate::{
    clock,
    config::{Control, Me},
    line,
};

/// Control answers within this time or is asked again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks control for a certificate: by token when `held` is none, by `held` when there is one that is still valid.
pub(super) async fn request(me: &Me, control: &Control, held: Option<Arc<Identity>>) -> anyhow::Result<Identity> {
    let bundle = read_bundle(&control.bundle)?;
    let server = SpiffeId::control(&me.trust_domain);
    let held = held.filter(|identity| identity.not_after() > clock::wall());
    let tls = match &held {
        Some(identity) => identity.grpc_client(&server),
        None => tls::bootstrap_client(&bundle, &server),
    };
    let pending = Pending::new().context("cannot make a key")?;
    let mut request = Request::new(IstioCertificateRequest { csr: pending.csr_pem().to_owned(), ..Default::default() });
    if held.is_none() {
        request.metadata_mut().insert("authorization", bearer(&control.token)?);
    }
    let answered = tokio::time::timeout(PATIENCE, async {
        let channel = line::open(&control.certificates, tls, control.mark).await?;
        let answer = IstioCertificateServiceClient::new(channel).create_certificate(request).await;
        answer.map_err(|status| anyhow!("control refused ({:?}): {}", status.code(), status.message()))
    });
    let answer = answered.await.map_err(|_| anyhow!("control did not answer within {} s", PATIENCE.as_secs()))??;
    let identity = pending
        .complete(&answer.into_inner().cert_chain, &bundle, clock::wall())
        .context("what control issued cannot be used")?;
    let expected = SpiffeId::new(&me.trust_domain, &me.namespace, &me.service_account).context("our own name")?;
    ensure!(*identity.id() == expected, "control issued a certificate for {}, and this is {expected}", identity.id());
    Ok(identity)
}

fn read_bundle(path: &Path) -> anyhow::Result<Bundle> {
    let pem = std::fs::read(path).with_context(|| format!("cannot read the trust bundle {}", path.display()))?;
    Bundle::from_pem(&pem).with_context(|| format!("the trust bundle {} cannot be used", path.display()))
}

fn bearer(path: &Path) -> anyhow::Result<MetadataValue<tonic::metadata::Ascii>> {
    let token = std::fs::read_to_string(path).with_context(|| format!("cannot read the token {}", path.display()))?;
    let mut value: MetadataValue<_> =
        format!("Bearer {}", token.trim()).parse().with_context(|| format!("the token in {} is not text", path.display()))?;
    value.set_sensitive(true);
    Ok(value)
}
