//! The pure rooms, opened to whoever holds what they decide against another opinion (`cli/tests`). Nothing else calls this.
//!
//! In: manifests, as the API server would tell them. Out: what a proxy is told that asks. Never: a file, a socket, a clock.

use std::{collections::BTreeMap, net::IpAddr};

use certs::name::TrustDomain;

use crate::{
    index::{DefaultPolicy, Index, Key, Object, Pod, Protocol, Service, ServicePort},
    manifest::{
        authorization::AuthorizationPolicy,
        routes::{GrpcRoute, HttpRoute, ReferenceGrant},
    },
    plan::{self, Kind, Mesh},
    watch,
};

/// All that control knows.
#[derive(Debug)]
pub struct Known {
    index: Index,
    mesh: Mesh,
}

impl Known {
    /// Nothing, of a mesh.
    pub fn nothing(trust_domain: TrustDomain) -> Self {
        let mesh = Mesh { trust_domain, default_policy: DefaultPolicy::AllowAll, root_namespace: String::from("weft-system") };
        Self { index: Index::new(&mesh.root_namespace), mesh }
    }

    /// There is a service with an address, and with ports by their numbers and names.
    pub fn service(&mut self, namespace: &str, name: &str, address: IpAddr, ports: &[(u16, &str)]) {
        let port = |(port, name): &(u16, &str)| ServicePort { name: (*name).to_owned(), port: *port, protocol: Protocol::Http };
        let service = Service {
            key: key(namespace, name),
            addresses: vec![address],
            ports: ports.iter().map(port).collect(),
            publish_not_ready: false,
            stays_on_node: false,
            affinity: None,
        };
        self.index.apply(Object::Service(service));
    }

    /// There is a pod with labels, and a sidecar in it.
    pub fn pod(&mut self, namespace: &str, name: &str, labels: &[(&str, &str)]) {
        self.index.apply(Object::Pod(Pod {
            key: key(namespace, name),
            uid: name.to_owned(),
            addresses: Vec::new(),
            service_account: String::from("default"),
            workload: name.to_owned(),
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            node: String::new(),
            meshed: true,
            token: None,
            ports: BTreeMap::new(),
            default_policy: None,
        }));
    }

    /// There is a policy.
    pub fn authorization_policy(&mut self, policy: &AuthorizationPolicy) {
        let namespace = policy.metadata.namespace.as_deref().unwrap_or("default");
        let (read, _) = watch::authorization_policy(key(namespace, &policy.metadata.name), &policy.spec);
        self.index.apply(Object::AuthorizationPolicy(read));
    }

    /// There is a route, made in the second `made`.
    pub fn http_route(&mut self, route: &HttpRoute, made: i64) {
        let namespace = route.metadata.namespace.as_deref().unwrap_or("default");
        let (read, _) = watch::http_route(key(namespace, &route.metadata.name), made, &route.spec);
        self.index.apply(Object::Route(read));
    }

    /// The same of calls.
    pub fn grpc_route(&mut self, route: &GrpcRoute, made: i64) {
        let namespace = route.metadata.namespace.as_deref().unwrap_or("default");
        let (read, _) = watch::grpc_route(key(namespace, &route.metadata.name), made, &route.spec);
        self.index.apply(Object::Route(read));
    }

    /// There is a grant.
    pub fn grant(&mut self, grant: &ReferenceGrant) {
        let namespace = grant.metadata.namespace.as_deref().unwrap_or("default");
        self.index.apply(Object::ReferenceGrant(watch::grant(key(namespace, &grant.metadata.name), &grant.spec)));
    }

    /// What the sidecar of a pod in `namespace` is told that asks for `name`, of a type of xDS; `None` when there is no such thing.
    pub fn told(&self, namespace: &str, type_url: &str, name: &str) -> Option<Vec<u8>> {
        let viewer = key(namespace, "caller");
        let resource = plan::resource(&self.index, Some(&viewer), &self.mesh, Kind::from_type_url(type_url)?, name)?;
        Some(resource.body.value)
    }
}

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.to_owned(), name: name.to_owned() }
}
