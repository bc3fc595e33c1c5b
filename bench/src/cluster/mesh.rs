//! A mesh in a cluster, and what can be done to it.

use std::{net::Ipv4Addr, ops::Range, time::Duration};

use ::tests::Cluster;
use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::{
    api::Api,
    container::{CONTROL, Container, Program, SIDECAR},
    figures::Size,
    objects,
    waiting::until,
};
use crate::admin;

/// Namespace of the client, whose pods are given sidecars.
const CLIENT: &str = "shop";

/// How often to look whether something has happened whose time is measured.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The same of what takes longer to look at: every process of the machine, or the API server.
const LOOK_AGAIN_LATER: Duration = Duration::from_millis(10);

/// Between calls, while the sidecar does not know what is called.
const CALL_AGAIN: Duration = Duration::from_millis(500);

/// Control, services, and a client that calls the first of them.
pub(super) struct Mesh<'a> {
    cluster: &'a Cluster,
    pub(super) api: Api,
    pub(super) control: Container,
    pub(super) sidecar: Container,
    /// Pods behind services are like this one, the client.
    model: Pod,
    /// Services that the client calls.
    called: u16,
    pub(super) size: Size,
    /// How many edits were made.
    edits: u16,
}

impl<'a> Mesh<'a> {
    /// Starts the client in a cluster with the mesh installed, and lets it call `size` services.
    ///
    /// # Errors
    /// The cluster does not do what it should.
    pub(super) fn begin(cluster: &'a Cluster, api: Api, size: Size) -> anyhow::Result<Self> {
        ::tests::namespace(cluster, CLIENT, "enabled");
        ::tests::namespace(cluster, objects::NAMESPACE, "disabled");
        cluster.apply(&::tests::client(CLIENT));
        ::tests::ready(cluster, CLIENT, &["pod/client"]);
        let model = api.pod(CLIENT, "client")?;
        let account = model.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
        api.create([Ok(objects::account(account))])?;
        let control = running(CONTROL, &api.control()?.context("control has no pod")?)?;
        let sidecar = running(SIDECAR, &model)?;
        let mesh = Self { cluster, api, control, sidecar, model, called: size.services, size, edits: 0 };
        mesh.write(0..size.services)?;
        mesh.call()?;
        Ok(mesh)
    }

    /// Writes further services, until there are `services`.
    ///
    /// # Errors
    /// The API server does not take them.
    pub(super) fn grow(&mut self, services: u16) -> anyhow::Result<()> {
        self.write(self.size.services..services)?;
        self.size.services = services;
        Ok(())
    }

    /// Waits until control knows so many objects.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn is_known(&self, objects: f64) -> anyhow::Result<()> {
        until("control knows all", LOOK_AGAIN_LATER, || Ok((self.known()? == objects).then_some(())))
    }

    /// How many objects control knows.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn known(&self) -> anyhow::Result<f64> {
        Ok(admin::sum(&self.control.page("/metrics")?, "weft_control_objects", &[]))
    }

    /// Lets the client call its services until its sidecar knows them. Nobody answers: calls end early.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn call(&self) -> anyhow::Result<()> {
        let endpoints = Size { services: self.called, ..self.size }.all_endpoints();
        let names = (0..self.called).map(|service| format!("{}.{}", objects::service_name(service), objects::NAMESPACE));
        let names = names.collect::<Vec<_>>().join(" ");
        let calls = format!("for name in {names}; do curl -s -m 1 http://$name/ & done; wait");
        until("the sidecar knows what is called", CALL_AGAIN, || {
            self.cluster.kubectl(&["-n", CLIENT, "exec", "client", "-c", "app", "--", "/bin/sh", "-c", &calls]);
            Ok((endpoints_in(&self.sidecar.page("/config")?)? == endpoints).then_some(()))
        })
    }

    /// Begins a new edit, and gives the address that tells of it.
    pub(super) fn next_edit(&mut self) -> Ipv4Addr {
        self.edits += 1;
        objects::edit_address(self.edits)
    }

    /// Replaces an endpoint of a service that the client calls, of each in turn. Returns when the API server has answered.
    ///
    /// # Errors
    /// It refuses.
    pub(super) fn write_edit(&self) -> anyhow::Result<()> {
        self.api.edit(self.edits % self.called, self.size.endpoints, self.edits)
    }

    /// Waits until the sidecar knows an endpoint with `address`.
    ///
    /// # Errors
    /// It is not told.
    pub(super) fn is_told(&self, address: Ipv4Addr) -> anyhow::Result<()> {
        let address = format!("\"{address}:");
        until("the sidecar is told", LOOK_AGAIN, || Ok(self.sidecar.page("/config")?.contains(&address).then_some(())))
    }

    /// Takes control away, with its pod, which is returned.
    ///
    /// # Errors
    /// There was none.
    pub(super) fn lose_control(&self) -> anyhow::Result<Pod> {
        let lost = self.api.control()?.context("control has no pod")?;
        self.api.forget_control(&lost)?;
        self.control.kill()?;
        Ok(lost)
    }

    /// Waits until control runs in another pod than `lost`.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn find_control(&mut self, lost: &Pod) -> anyhow::Result<()> {
        let next = until("control has another pod", LOOK_AGAIN_LATER, || {
            Ok(self.api.control()?.filter(|pod| pod.metadata.uid != lost.metadata.uid))
        })?;
        self.control = running(CONTROL, &next)?;
        Ok(())
    }

    /// Waits until control has read everything.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn is_ready(&self) -> anyhow::Result<()> {
        until("control is ready", LOOK_AGAIN, || Ok(self.control.page("/ready").ok().map(drop)))
    }

    /// Writes services, with their pods and slices.
    fn write(&self, services: Range<u16>) -> anyhow::Result<()> {
        let endpoints = self.size.endpoints;
        self.api.create(services.clone().map(objects::service))?;
        let behind = |service| (0..endpoints).map(move |number| (service, number));
        self.api.run(services.clone().flat_map(behind).map(|(service, number)| objects::pod(&self.model, service, number)))?;
        self.api.create(services.map(|service| objects::slice(service, endpoints)))
    }
}

/// A program of a pod, once it runs.
fn running(program: Program, pod: &Pod) -> anyhow::Result<Container> {
    let uid = pod.metadata.uid.as_deref().context("a pod has a UID")?;
    until("a pod's program runs", LOOK_AGAIN_LATER, || Ok(Container::find(program, uid)))
}

/// How many endpoints a sidecar says that it knows.
fn endpoints_in(config: &str) -> anyhow::Result<usize> {
    let config: Value = serde_json::from_str(config).context("the sidecar's configuration is no JSON")?;
    let inside = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let clusters = inside(&config, "destinations").into_iter().flat_map(|destination| inside(&destination, "clusters"));
    Ok(clusters.map(|cluster| inside(&cluster, "endpoints").len()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_all_clusters_are_counted() {
        let config = r#"{"destinations": [
            {"address": "10.31.0.9:80", "clusters": [{"name": "a", "endpoints": [{"address": "1.1.1.1:1"}, {"address": "1.1.1.2:1"}]}]},
            {"address": "10.31.0.8:80", "unknown": true},
            {"address": "10.31.0.7:80", "clusters": [{"name": "b", "endpoints": [{"address": "1.1.1.3:1"}]}]}
        ]}"#;
        assert_eq!(endpoints_in(config).unwrap(), 3);
        assert!(endpoints_in("no JSON").is_err());
    }
}
