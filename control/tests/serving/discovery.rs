//! Incremental discovery, as our proxies use it.

use std::{
    fs,
    time::{Duration, Instant},
};

use tonic::Code;
use wire::{envoy::service::discovery::v3::DeltaDiscoveryRequest, google::rpc, names};

use crate::control::{CART, CLUSTER, Control, NOBODY, Proof, WEB, endpoints, subscribe, until};

#[tokio::test]
async fn an_edit_reaches_those_who_subscribed_and_them_alone() {
    let control = Control::start();
    let mut stream = control.discover(WEB, &control.web().await, endpoints()).await.unwrap();
    let first = stream.next().await.unwrap();
    let edited = Instant::now();
    control.slice(&[CART, WEB]);
    let second = stream.next().await.unwrap();
    // The promise is 250 ms; a machine that is busy with other tests gets some more.
    assert!(edited.elapsed() < Duration::from_secs(2), "{:?}", edited.elapsed());
    assert_ne!(first.resources[0].version, second.resources[0].version);
    control.service("10.96.0.5");
    control.pod("unrelated", NOBODY, "token");
    assert!(stream.is_silent().await, "what does not change it is no news");
    assert_eq!(control.metric("weft_control_xds_resources_sent_total{type=\"endpoints\"}"), Some(2.0));
}

#[tokio::test]
async fn an_address_that_nobody_has_is_said_to_be_none_and_announced_when_it_is() {
    let control = Control::start();
    let wanted = ["address/10.96.0.9:80"];
    let mut stream = control.discover(WEB, &control.web().await, subscribe(names::LISTENER, &wanted)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().removed_resources, wanted);
    control.service("10.96.0.9");
    assert_eq!(stream.next().await.unwrap().resources[0].name, wanted[0]);
    fs::remove_file(control.state("service.yaml")).unwrap();
    assert_eq!(stream.next().await.unwrap().removed_resources, wanted);
}

#[tokio::test]
async fn a_proxy_is_told_of_its_own_ports() {
    let control = Control::start();
    let mut stream = control.discover(WEB, &control.web().await, subscribe(names::LISTENER, &[names::INBOUND])).await.unwrap();
    assert_eq!(stream.next().await.unwrap().resources[0].name, names::INBOUND);
}

#[tokio::test]
async fn a_route_reaches_the_callers_of_its_service_and_its_conditions_the_admin_page() {
    let control = Control::start();
    let wanted = subscribe(names::ROUTE_CONFIGURATION, &[CLUSTER]);
    let mut stream = control.discover(WEB, &control.web().await, wanted).await.unwrap();
    let before = stream.next().await.unwrap().resources.remove(0);
    let (cart, namespace, _) = names::parse_service_port(CLUSTER).unwrap();
    let head =
        format!("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r, namespace: {namespace}}}\n");
    let parent = format!("{{group: '', kind: Service, name: {cart}}}");
    let spec = format!("spec: {{parentRefs: [{parent}], rules: [{{backendRefs: [{{name: gone, port: 80}}]}}]}}\n");
    fs::write(control.state("route.yaml"), head + &spec).unwrap();
    let after = stream.next().await.unwrap().resources.remove(0);
    assert_eq!((before.name.as_str(), after.name.as_str()), (CLUSTER, CLUSTER));
    assert_ne!(before.version, after.version);
    assert!(control.page("/config").contains("BackendNotFound"));
}

#[tokio::test]
async fn a_restart_tells_nobody_anything_new() {
    let mut control = Control::start();
    let web = control.web().await;
    let mut stream = control.discover(WEB, &web, endpoints()).await.unwrap();
    let before = stream.next().await.unwrap().resources.remove(0);
    control.restart();
    let held = [(CLUSTER.to_owned(), before.version)].into_iter().collect();
    let again = DeltaDiscoveryRequest { initial_resource_versions: held, ..endpoints() };
    let mut stream = control.discover(WEB, &web, again).await.unwrap();
    assert!(stream.is_silent().await);
    control.slice(&[]);
    assert_eq!(stream.next().await.unwrap().resources.len(), 1, "it is heard all the same");
}

#[tokio::test]
async fn a_certificate_opens_a_stream_at_its_own_pod_alone() {
    let control = Control::start();
    let web = control.web().await;
    for (address, reason) in [(CART, "foreign_identity"), (NOBODY, "no_pod")] {
        let Err(told) = control.discover(address, &web, endpoints()).await else { panic!("a stream at {address}") };
        assert_eq!(told.code(), Code::PermissionDenied, "{told}");
        assert_eq!(control.metric(&format!("weft_control_xds_streams_refused_total{{reason=\"{reason}\"}}")), Some(1.0));
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_pod() {
    let control = Control::start();
    let mut stream = control.discover(WEB, &control.web().await, endpoints()).await.unwrap();
    stream.next().await.unwrap();
    fs::remove_file(control.state("pod-web.yaml")).unwrap();
    assert_eq!(stream.next().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_stream_ends_with_its_certificate_and_control_renews_its_own() {
    let control = Control::start_with(&["--leaf-lifetime", "10s"]);
    let web = control.web().await;
    let mut stream = control.discover(WEB, &web, endpoints()).await.unwrap();
    stream.next().await.unwrap();
    let renewed = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        control.certificate(WEB, Proof::Certificate(&web)).await.unwrap()
    };
    let (ended, renewed) = tokio::join!(tokio::time::timeout(Duration::from_secs(15), stream.end()), renewed);
    assert_eq!(ended.expect("the stream outlives its certificate").code(), Code::Unauthenticated);
    let mut stream = control.discover(WEB, &renewed, endpoints()).await.expect("control's own certificate has ended, too");
    stream.next().await.unwrap();
}

#[tokio::test]
async fn what_a_client_cannot_use_is_counted_and_shown() {
    let control = Control::start();
    let mut stream = control.discover(WEB, &control.web().await, endpoints()).await.unwrap();
    let nonce = stream.next().await.unwrap().nonce;
    let error_detail = Some(rpc::Status { code: 3, message: "one endpoint too odd".into(), ..Default::default() });
    let type_url = names::CLUSTER_LOAD_ASSIGNMENT.to_owned();
    stream.ask(DeltaDiscoveryRequest { type_url, response_nonce: nonce, error_detail, ..Default::default() });
    until("the NACK to be counted", || control.metric("weft_control_xds_nacks_total{type=\"endpoints\"}") == Some(1.0)).await;
    assert!(control.page("/config").contains("one endpoint too odd"));
    assert!(stream.is_silent().await, "the same is not sent again");
}
