//! What gRPC's own clients are told to begin with: gRFC A27, "xDS Bootstrap File".

use std::net::SocketAddr;

use serde_json::json;

/// The bootstrap of a client in `pod`, whose agent listens at `agent`.
pub fn bootstrap(pod: &str, namespace: &str, agent: SocketAddr) -> String {
    let server = json!({
        "server_uri": agent.to_string(),
        // Loopback; the agent adds mutual TLS.
        "channel_creds": [{ "type": "insecure" }],
        "server_features": ["xds_v3"],
    });
    format!("{:#}\n", json!({ "xds_servers": [server], "node": { "id": format!("{pod}.{namespace}") } }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_bootstrap_names_the_agent_and_the_pod() {
        let text = bootstrap("web-0", "shop", crate::agent::ADDRESS);
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["xds_servers"][0]["server_uri"], "127.0.0.1:17005");
        assert_eq!(parsed["node"]["id"], "web-0.shop");
    }
}
