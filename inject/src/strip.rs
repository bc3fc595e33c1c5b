//! A pod without its sidecar.

use serde_json::{Map, Value};

use crate::{
    INIT_CONTAINER, MESHED_ANNOTATION, PROXY_CONTAINER, VOLUME,
    probes::{self, Probes},
    sidecar::PROBES_VARIABLE,
};

/// `pod` as it was before a sidecar was added; as it is, if none was.
pub fn strip(pod: &Value) -> Value {
    let mut pod = pod.clone();
    if pod["metadata"]["annotations"][MESHED_ANNOTATION] != "true" {
        return pod;
    }
    let known = known_probes(&pod);
    probes::give_back(&mut pod, &known);
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        remove(spec, "initContainers", |container| container["name"] == INIT_CONTAINER || container["name"] == PROXY_CONTAINER);
        remove(spec, "volumes", |volume| volume["name"] == VOLUME);
    }
    if let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(MESHED_ANNOTATION);
        }
        remove_if_empty(metadata, "annotations");
    }
    if let Some(fields) = pod.as_object_mut() {
        remove_if_empty(fields, "metadata");
    }
    pod
}

fn known_probes(pod: &Value) -> Probes {
    let mut containers = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    let proxy = containers.find(|container| container["name"] == PROXY_CONTAINER);
    let mut variables = proxy.into_iter().flat_map(|proxy| proxy["env"].as_array().into_iter().flatten());
    let text = variables.find(|variable| variable["name"] == PROBES_VARIABLE).and_then(|variable| variable["value"].as_str());
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn remove(spec: &mut Map<String, Value>, list: &str, is_ours: impl Fn(&Value) -> bool) {
    if let Some(items) = spec.get_mut(list).and_then(Value::as_array_mut) {
        items.retain(|item| !is_ours(item));
    }
    remove_if_empty(spec, list);
}

fn remove_if_empty(fields: &mut Map<String, Value>, name: &str) {
    let is_empty = fields.get(name).is_some_and(|value| match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        _ => false,
    });
    if is_empty {
        // In their order, whatever the map is.
        fields.shift_remove(name);
    }
}
