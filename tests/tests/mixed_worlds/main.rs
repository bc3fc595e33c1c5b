//! Meshed and not, declared and not: whoever calls whom by whatever address, HTTP and bytes arrive as they would without a mesh.

mod addresses;
mod apps;
mod declared;
mod ports;
mod sidecars;
