//! Generates the messages from `proto/`, without a protobuf compiler on the machine.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("proto");
    let files: Vec<_> = ["envoy", "google", "grpc", "istio"]
        .iter()
        .map(|folder| std::fs::read_dir(root.join(folder)))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(files, [root])?;
    // Maps in the order of their keys: the same message is the same bytes, and the versions of resources are hashes of bytes.
    tonic_prost_build::configure().btree_map(".").include_file("messages.rs").compile_fds(descriptors)?;
    Ok(())
}
