//! The mesh in a cluster whose pods run: installed from what `weft install` prints, with plain manifests for apps.

mod agents;
mod capture;
mod checking;
mod entrances;
mod heard;
mod installing;
mod kinds;
mod load;
mod market;
mod node;
mod policies;
mod probes;
mod readiness;
mod rolling;
mod scaling;
mod services;
mod shop;
mod traffic;
