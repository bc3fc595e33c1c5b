//! The root of a cluster's mesh, in a Secret beside control: whoever can read that can be anybody in the mesh.

use std::time::SystemTime;

use anyhow::{Context as _, anyhow};
use certs::{
    issue::{Authority, NewRoot},
    name::TrustDomain,
};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{Api, Client, api::PostParams, core::ObjectMeta};

use super::owner::owner;

/// Entries of the Secret, as kubernetes.io/tls calls them.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// The authority in the Secret `name` of `namespace`, which is made if it is not there. Of several replicas that make it at once one
/// succeeds, and the others take what it made.
///
/// # Errors
/// The API server does not let us, or what is there cannot be used.
pub(crate) async fn authority(
    client: Client,
    namespace: &str,
    name: &str,
    trust_domain: &TrustDomain,
    now: SystemTime,
) -> anyhow::Result<Authority> {
    let owner = owner(&client).await;
    let secrets: Api<Secret> = Api::namespaced(client, namespace);
    let place = || format!("Secret {namespace}/{name}");
    let known = secrets.get_opt(name).await.with_context(|| format!("{} cannot be read", place()))?;
    let secret = match known {
        Some(secret) => secret,
        None => {
            let new = secret(name, NewRoot::make(trust_domain, now)?, owner);
            match secrets.create(&PostParams::default(), &new).await {
                Ok(made) => {
                    tracing::info!(secret = place(), "a new root was made");
                    made
                }
                Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                    secrets.get(name).await.with_context(|| format!("{} cannot be read", place()))?
                }
                Err(error) => return Err(anyhow!(error).context(format!("{} cannot be made", place()))),
            }
        }
    };
    let data = secret.data.unwrap_or_default();
    let entry = |name: &str| data.get(name).map(|entry| entry.0.as_slice()).with_context(|| format!("{} has no {name}", place()));
    let authority = Authority::from_pem(entry(CERTIFICATE)?, entry(KEY)?);
    authority.map_err(|why| anyhow!("the CA in {} cannot be used: {why}", place()))
}

fn secret(name: &str, root: NewRoot, owner: Option<OwnerReference>) -> Secret {
    let entry = |name: &str, text: &str| (name.to_owned(), ByteString(text.as_bytes().to_vec()));
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([(String::from("app.kubernetes.io/part-of"), String::from("weft"))].into()),
            owner_references: owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some(String::from("kubernetes.io/tls")),
        data: Some([entry(CERTIFICATE, &root.certificate), entry(KEY, &root.key)].into()),
        ..Secret::default()
    }
}
