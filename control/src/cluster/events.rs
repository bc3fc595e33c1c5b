//! Telling people who look with kubectl.

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams, core::ObjectMeta};
use serde_json::Value;

use super::MANAGER;
use crate::clock;

/// Writes that a pod of `owner` (an owner reference; null for a pod of nobody's) has no sidecar, and `why`.
pub(crate) async fn tell(client: Client, namespace: &str, owner: &Value, why: &str) {
    let text = |name: &str| owner[name].as_str().map(str::to_owned);
    let about = match text("name") {
        Some(name) => ObjectReference {
            api_version: text("apiVersion"),
            kind: text("kind"),
            name: Some(name),
            namespace: Some(namespace.to_owned()),
            uid: text("uid"),
            ..ObjectReference::default()
        },
        // The pod is not there yet.
        None => ObjectReference {
            api_version: Some(String::from("v1")),
            kind: Some(String::from("Namespace")),
            name: Some(namespace.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectReference::default()
        },
    };
    let now = Timestamp::try_from(clock::wall()).unwrap_or_default();
    let event = Event {
        metadata: ObjectMeta {
            generate_name: Some(String::from("weft-")),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: about,
        type_: Some(String::from("Warning")),
        reason: Some(String::from("NoSidecar")),
        message: Some(why.to_owned()),
        source: Some(EventSource { component: Some(MANAGER.to_owned()), host: None }),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    };
    if let Err(error) = Api::<Event>::namespaced(client, namespace).create(&PostParams::default(), &event).await {
        tracing::warn!(namespace, %error, why, "an event cannot be written");
    }
}
