# What people run most. `just check` is what CI runs.

# Everything: format, lints, dependencies, unit tests, promises.
check:
    ./check

# The shop, live.
demo *FLAGS:
    cargo run --release -- demo {{FLAGS}}

# Unit tests of one crate.
test CRATE:
    cargo test -p {{CRATE}}

# What is shipped: smaller and faster, slower to build.
dist:
    cargo build --profile dist --workspace

# Side by side with Envoy, HAProxy, nginx and a bare relay: half an hour, on an otherwise idle machine.
compare *FLAGS:
    cargo run --release -p bench -- compare {{FLAGS}}
