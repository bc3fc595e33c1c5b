//! What sidecars say of themselves: their pages of metrics, fetched by way of the API server.

use std::{collections::BTreeMap, time::SystemTime};

use futures_util::{StreamExt as _, stream};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, ResourceExt as _};

use super::{
    Finding,
    pods::{is_meshed, is_over, named},
};
use crate::clock;

/// Sidecars that are asked; a look at a big cluster should not take minutes.
const ASKED_MAX: usize = 500;

/// Asked at the same time.
const AT_ONCE: usize = 16;

/// What one sidecar says.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    version: Option<String>,
    is_connected: bool,
    /// When its configuration and its certificate were made and end, in Unix time.
    config_received: Option<f64>,
    certificate_ends: Option<f64>,
}

/// Asks the sidecars of `pods`, and compares what they say with what we are.
pub(super) async fn look(client: &Client, pods: &[Pod]) -> Vec<Finding> {
    let asked: Vec<&Pod> = pods.iter().filter(|pod| is_meshed(pod) && !is_over(pod) && is_running(pod)).take(ASKED_MAX).collect();
    let answers = stream::iter(asked.iter().copied()).map(|pod| async move { (pod, ask(client, pod).await) });
    let answers: Vec<(&Pod, Option<Told>)> = answers.buffered(AT_ONCE).collect().await;
    let silent: Vec<&Pod> = answers.iter().filter(|(_, told)| told.is_none()).map(|(pod, _)| *pod).collect();
    let told: Vec<(&Pod, Told)> = answers.into_iter().filter_map(|(pod, told)| Some((pod, told?))).collect();
    let now = clock::wall().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut findings = Vec::new();
    if !silent.is_empty() {
        findings.push(Finding::notable(
            "sidecars answer",
            format!("those of {} do not", named(&silent)),
            "they are asked by way of the API server: may you get pods/proxy, and can it reach port 17003 of pods?",
        ));
    }
    findings.extend([connected(&told, now), certified(&told, now), versions(&told)]);
    findings
}

fn is_running(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
}

async fn ask(client: &Client, pod: &Pod) -> Option<Told> {
    let (namespace, name) = (pod.namespace()?, pod.name_any());
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:17003/proxy/metrics");
    let page = client.request_text(Request::get(path).body(Vec::new()).ok()?).await.ok()?;
    Some(read(&page))
}

/// The lines of a page that matter here.
fn read(page: &str) -> Told {
    let number =
        |name: &str| -> Option<f64> { page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()) };
    let version = page.lines().find_map(|line| line.strip_prefix("weft_build_info{version=\"")?.split_once('"'));
    Told {
        version: version.map(|(version, _)| version.to_owned()),
        is_connected: number("weft_control_connected") == Some(1.0),
        config_received: number("weft_config_received_timestamp_seconds"),
        certificate_ends: number("weft_certificate_expiry_timestamp_seconds"),
    }
}

fn connected(told: &[(&Pod, Told)], now: f64) -> Finding {
    let what = "sidecars hear control";
    let deaf: Vec<&(&Pod, Told)> = told.iter().filter(|(_, told)| !told.is_connected).collect();
    let oldest = deaf.iter().filter_map(|(_, told)| told.config_received).fold(now, f64::min);
    match deaf.is_empty() {
        true => Finding::well(format!("{what} ({})", told.len())),
        false => Finding::wrong(
            what,
            format!(
                "those of {} do not, and go by a configuration that is up to {:.0} s old",
                named(&deaf.iter().map(|(pod, _)| *pod).collect::<Vec<_>>()),
                now - oldest
            ),
            "can their pods reach port 17010 of the Service weft-control? Their logs say why not",
        ),
    }
}

fn certified(told: &[(&Pod, Told)], now: f64) -> Finding {
    let what = "sidecars renew their certificates";
    let is_late = |told: &Told| told.certificate_ends.is_none_or(|ends| ends <= now);
    let late: Vec<&Pod> = told.iter().filter(|(_, told)| is_late(told)).map(|(pod, _)| *pod).collect();
    match late.is_empty() {
        true => Finding::well(what),
        false => Finding::wrong(
            what,
            format!("those of {} have none that is valid", named(&late)),
            "can their pods reach port 17011 of the Service weft-control, and do their nodes' clocks agree with control's?",
        ),
    }
}

fn versions(told: &[(&Pod, Told)]) -> Finding {
    let what = "sidecars are of our version";
    let ours = env!("CARGO_PKG_VERSION");
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for version in told.iter().map(|(_, told)| told.version.as_deref().unwrap_or("unknown")).filter(|version| *version != ours) {
        *others.entry(version).or_default() += 1;
    }
    match others.is_empty() {
        true => Finding::well(format!("{what} ({ours})")),
        false => Finding::notable(
            what,
            others.iter().map(|(version, count)| format!("{count} are of {version}")).collect::<Vec<_>>().join(", "),
            "start their pods again, when it suits you; or take the weft of the version that is installed",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Verdict, pods::tests::meshed};

    const PAGE: &str = "# TYPE weft_build info\nweft_build_info{version=\"9.9.9\"} 1\nweft_control_connected 1.0\n\
        weft_config_received_timestamp_seconds 1000.5\nweft_certificate_expiry_timestamp_seconds 5000.0\n";

    #[test]
    fn a_page_is_read() {
        let told = read(PAGE);
        let expected = Told {
            version: Some("9.9.9".into()),
            is_connected: true,
            config_received: Some(1000.5),
            certificate_ends: Some(5000.0),
        };
        assert_eq!(told, expected);
        assert_eq!(read("anything else"), Told::default());
    }

    #[test]
    fn who_is_deaf_late_or_of_another_version_is_named() {
        let pods = [meshed("a", true), meshed("b", true)];
        let told = [(&pods[0], read(PAGE)), (&pods[1], Told { is_connected: false, ..read(PAGE) })];
        let Verdict::Wrong { why, .. } = connected(&told, 1100.5).verdict else { panic!("it is well") };
        assert!(why.contains("shop/b") && !why.contains("shop/a") && why.contains("100 s"), "{why}");
        assert_eq!(certified(&told, 1000.0).verdict, Verdict::Well);
        assert!(matches!(certified(&told, 5000.0).verdict, Verdict::Wrong { .. }));
        let Verdict::Notable { why, .. } = versions(&told).verdict else { panic!("it is well") };
        assert_eq!(why, "2 are of 9.9.9");
    }
}
