//! The containers and the volume that are added.

use serde_json::{Value, json};

use crate::{
    BUNDLE_CONFIG_MAP, BUNDLE_FILE, INIT_CONTAINER, PROXY_CONTAINER, PROXY_USER, Settings, TOKEN_AUDIENCE, VOLUME,
    options::{Options, includes},
    ports::{ADMIN_PORT, REDIRECT_CHECK_PORT},
    probes::Probes,
};

/// Where the volume is mounted.
const FOLDER: &str = "/var/run/weft";

/// A token is used once, at start; the kubelet has a fresh one there for the next.
const TOKEN_SECONDS: u32 = 3600;

/// How long a sidecar may take to become ready, in seconds, before it is started again: control may be starting as well.
const START_SECONDS: u32 = 300;

/// Variable with the probes that the sidecar answers.
pub(crate) const PROBES_VARIABLE: &str = "WEFT_PROBES";

/// What makes one sidecar differ from another.
pub(crate) struct Sidecar<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) options: &'a Options,
    pub(crate) workload: &'a str,
    pub(crate) probes: &'a Probes,
}

impl Sidecar<'_> {
    /// The container that installs the redirect rules.
    pub(crate) fn init(&self) -> Value {
        let Self { settings, options, .. } = self;
        let mut args = vec![String::from("init"), format!("--proxy-uid={PROXY_USER}")];
        let lists = [
            ("--skip-inbound-ports", &options.skip_inbound_ports),
            ("--skip-outbound-ports", &options.skip_outbound_ports),
            ("--skip-subnets", &options.skip_subnets),
        ];
        args.extend(lists.into_iter().filter_map(|(flag, list)| Some(format!("{flag}={}", list.as_ref()?))));
        json!({
            "name": INIT_CONTAINER,
            "image": settings.image,
            "imagePullPolicy": settings.pull_policy,
            "args": args,
            "resources": {
                "requests": { "cpu": "10m", "memory": "16Mi" },
                "limits": { "memory": "64Mi" },
            },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": { "add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"] },
                "privileged": false,
                "readOnlyRootFilesystem": true,
                // Capabilities are given to root alone.
                "runAsGroup": 0,
                "runAsNonRoot": false,
                "runAsUser": 0,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
        })
    }

    /// The sidecar itself: a native one, started before everything but its rules and ended after everything.
    pub(crate) fn proxy(&self, account: &str) -> Value {
        let settings = self.settings;
        json!({
            "name": PROXY_CONTAINER,
            "image": settings.image,
            "imagePullPolicy": settings.pull_policy,
            "restartPolicy": "Always",
            "env": self.variables(account),
            "ports": [{ "name": "weft-admin", "containerPort": ADMIN_PORT, "protocol": "TCP" }],
            // The first question comes by the redirect rules: without them nothing starts.
            "startupProbe": asked("/ready", self.redirect_check().unwrap_or(ADMIN_PORT), 1, START_SECONDS),
            "readinessProbe": asked("/ready", ADMIN_PORT, 2, 3),
            "livenessProbe": asked("/live", ADMIN_PORT, 10, 3),
            "resources": self.resources(),
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"] },
                "privileged": false,
                "readOnlyRootFilesystem": true,
                "runAsGroup": PROXY_USER,
                "runAsNonRoot": true,
                "runAsUser": PROXY_USER,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "volumeMounts": [{ "name": VOLUME, "mountPath": FOLDER, "readOnly": true }],
        })
    }

    /// The port that shows whether calls are redirected, unless its calls are not to be.
    fn redirect_check(&self) -> Option<u16> {
        let skipped = self.options.skip_inbound_ports.as_deref().unwrap_or_default();
        (!includes(skipped, REDIRECT_CHECK_PORT)).then_some(REDIRECT_CHECK_PORT)
    }

    fn variables(&self, account: &str) -> Vec<Value> {
        let Self { settings, options, workload, probes } = self;
        let is = |name: &str, value: &str| json!({ "name": name, "value": value });
        let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
        let mut variables = vec![
            field("WEFT_POD", "metadata.name"),
            field("WEFT_NAMESPACE", "metadata.namespace"),
            field("WEFT_POD_IPS", "status.podIPs"),
            is("WEFT_SERVICE_ACCOUNT", account),
            is("WEFT_TRUST_DOMAIN", &settings.trust_domain),
            is("WEFT_CONTROL_XDS", &format!("{}:17010", settings.control)),
            is("WEFT_CONTROL_CERTS", &format!("{}:17011", settings.control)),
            is("WEFT_TRUST_BUNDLE", &format!("{FOLDER}/{BUNDLE_FILE}")),
            is("WEFT_TOKEN_FILE", &format!("{FOLDER}/token")),
            is("WEFT_LOG", options.log.as_ref().unwrap_or(&settings.log)),
        ];
        // A pod that has no name yet is its own workload.
        if !workload.is_empty() {
            variables.push(is("WEFT_WORKLOAD", workload));
        }
        variables.extend(self.redirect_check().map(|port| is("WEFT_REDIRECT_CHECK_PORT", &port.to_string())));
        variables.extend(options.workers.iter().map(|workers| is("WEFT_WORKERS", workers)));
        variables.extend(options.access_log.iter().map(|access_log| is("WEFT_ACCESS_LOG", access_log)));
        if !probes.is_empty() {
            variables.push(is(PROBES_VARIABLE, &Value::Object((*probes).clone()).to_string()));
        }
        variables
    }

    fn resources(&self) -> Value {
        let Self { settings, options, .. } = self;
        let mut resources = json!({
            "requests": {
                "cpu": options.cpu_request.as_ref().unwrap_or(&settings.cpu_request),
                "memory": options.memory_request.as_ref().unwrap_or(&settings.memory_request),
            },
            "limits": { "memory": options.memory_limit.as_ref().unwrap_or(&settings.memory_limit) },
        });
        // Without a limit of its own a sidecar may use what nobody else does: to throttle it is to throttle the app.
        if let Some(limit) = &options.cpu_limit {
            resources["limits"]["cpu"] = json!(limit);
        }
        resources
    }
}

fn asked(path: &str, port: u16, period_seconds: u32, failures: u32) -> Value {
    json!({
        "httpGet": { "path": path, "port": port, "scheme": "HTTP" },
        "periodSeconds": period_seconds,
        "failureThreshold": failures,
    })
}

/// The token that buys the first certificate, and the roots by which control is known.
pub(crate) fn volume() -> Value {
    json!({
        "name": VOLUME,
        "projected": {
            "sources": [
                { "serviceAccountToken": { "audience": TOKEN_AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token" } },
                { "configMap": { "name": BUNDLE_CONFIG_MAP, "items": [{ "key": BUNDLE_FILE, "path": BUNDLE_FILE }] } },
            ],
        },
    })
}
