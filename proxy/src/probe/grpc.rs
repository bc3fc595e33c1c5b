//! A question by gRPC's health checking protocol.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use tonic::transport::Endpoint;
use wire::grpc::health::v1::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::Failed;

/// `GRPCAction` of a container's probe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Check {
    port: u16,
    service: Option<String>,
}

impl Check {
    /// Passes when the app says that it serves.
    pub(super) async fn ask(&self, address: IpAddr) -> Result<(), Failed> {
        let failed = |why: &dyn std::fmt::Display| Failed(format!("the app's gRPC health cannot be asked: {why}"));
        let endpoint = Endpoint::from_shared(format!("http://{}", SocketAddr::new(address, self.port)));
        let channel = endpoint.map_err(|error| failed(&error))?.connect().await.map_err(|error| failed(&error))?;
        let request = HealthCheckRequest { service: self.service.clone().unwrap_or_default() };
        let answer = HealthClient::new(channel).check(request).await.map_err(|status| failed(&status))?;
        match answer.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            other => Err(Failed(format!("the app says of its health: {}", other.as_str_name()))),
        }
    }
}
