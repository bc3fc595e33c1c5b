//! Small shapes that several resources have in common.

use std::time::Duration;

use prost::Message;
use prost_types::Any;
use wire::envoy::config::{
    core::v3::{
        Address, AggregatedConfigSource, ApiVersion, ConfigSource, SocketAddress, address::Address as AddressKind,
        config_source::ConfigSourceSpecifier, socket_address::PortSpecifier,
    },
    listener::v3::{Filter, filter::ConfigType},
};

pub(super) fn any(type_url: &str, message: &impl Message) -> Any {
    Any { type_url: type_url.to_owned(), value: message.encode_to_vec() }
}

/// A filter of connections.
pub(super) fn filter(name: &str, config: Any) -> Filter {
    Filter { name: name.to_owned(), config_type: Some(ConfigType::TypedConfig(config)) }
}

/// None of a time that no message can hold.
pub(super) fn duration(time: Duration) -> Option<prost_types::Duration> {
    time.try_into().ok()
}

/// "Ask for it on this same stream."
pub(super) fn aggregated() -> ConfigSource {
    ConfigSource {
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        resource_api_version: ApiVersion::V3.into(),
    }
}

pub(super) fn socket(address: std::net::SocketAddr) -> Address {
    let port = PortSpecifier::PortValue(u32::from(address.port()));
    let socket = SocketAddress { address: address.ip().to_string(), port_specifier: Some(port) };
    Address { address: Some(AddressKind::SocketAddress(socket)) }
}
