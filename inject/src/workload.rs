//! What a pod is a replica of.

use serde_json::Value;

/// Label by which a ReplicaSet tells its pods from those of others of the same Deployment.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// The controller of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Its kind, such as `ReplicaSet`.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// What people call the workload of a pod called `pod`, whose controller is `owner` and whose label `pod-template-hash` is `hash`:
/// a ReplicaSet belongs to a Deployment, and a Job with a time in its name to a CronJob.
pub fn workload<'a>(owner: Option<Owner<'a>>, hash: Option<&str>, pod: &'a str) -> &'a str {
    let Some(Owner { kind, name }) = owner else { return pod };
    let (front, end) = name.rsplit_once('-').unwrap_or((name, ""));
    match kind {
        "ReplicaSet" if hash.is_some_and(|hash| hash == end) => front,
        // The minute it was due.
        "Job" if end.len() >= 8 && end.bytes().all(|byte| byte.is_ascii_digit()) => front,
        _ => name,
    }
}

pub(crate) fn of(pod: &Value) -> String {
    let metadata = &pod["metadata"];
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let owner =
        owners.filter(|owner| owner["controller"] == true).find_map(|owner| Some((text(&owner["kind"])?, text(&owner["name"])?)));
    let owner = owner.as_ref().map(|(kind, name)| Owner { kind, name });
    // Before a pod is created its name may be a beginning alone.
    let name = metadata["name"].as_str().or(metadata["generateName"].as_str().map(|name| name.trim_end_matches('-')));
    workload(owner, metadata["labels"][TEMPLATE_HASH].as_str(), name.unwrap_or_default()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_call_it() {
        let of = |kind, name, hash| workload(Some(Owner { kind, name }), hash, "web-7d4b9-x1");
        assert_eq!(of("ReplicaSet", "web-7d4b9", Some("7d4b9")), "web");
        assert_eq!(of("ReplicaSet", "web-7d4b9", None), "web-7d4b9", "a ReplicaSet of nobody's");
        assert_eq!(of("StatefulSet", "db", None), "db");
        assert_eq!(of("Job", "report-29401231", None), "report");
        assert_eq!(of("Job", "report-1", None), "report-1");
        assert_eq!(workload(None, None, "alone"), "alone");
    }
}
