//! Getting and keeping this proxy's certificate.
//!
//! The key is made here and stays in this process; control is sent a request with its public half. The first request proves
//! who we are by a token; every later one by the certificate we already hold, so the token is needed once. A certificate
//! is renewed at about two thirds of its life, and the old one serves until the new one is in place.

mod issuer;

use std::{sync::Arc, time::Duration};

use backon::BackoffBuilder;
use certs::{
    schedule,
    store::{Identity, IdentityStore},
};

use tokio::sync::watch;

use crate::{
    clock,
    config::{Control, Me},
    drain::Drain,
};

/// The first pause after a failure.
const PAUSE_MIN: Duration = Duration::from_millis(200);

/// Pauses grow no longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Keeps `store` filled until the proxy leaves, and tells `obtained` once it is. Failures are logged with what they mean, and tried again.
pub async fn keep(me: Arc<Me>, control: Control, store: Arc<IdentityStore>, obtained: watch::Sender<bool>, mut drain: Drain) {
    tokio::select! {
        () = renew_for_ever(&me, &control, &store, &obtained) => {}
        () = drain.begins() => {}
    }
}

async fn renew_for_ever(me: &Me, control: &Control, store: &IdentityStore, obtained: &watch::Sender<bool>) {
    loop {
        let identity = obtain(me, control, store).await;
        // From now on, not from its beginning: that is set back, by more than a short life may be long.
        let renewal = schedule::renew_at(clock::wall(), identity.not_after(), jitter());
        tracing::info!(id = %identity.id(), serial = identity.serial(), "certificate in force");
        store.publish(identity);
        obtained.send_replace(true);
        sleep_until(renewal).await;
    }
}

/// Asks until control issues a certificate.
async fn obtain(me: &Me, control: &Control, store: &IdentityStore) -> Identity {
    let mut pauses = pauses();
    loop {
        match issuer::request(me, control, store.current()).await {
            Ok(identity) => return identity,
            Err(error) => {
                let pause = pauses.next().unwrap_or(PAUSE_MAX);
                tracing::warn!(control = %control.certificates, pause_seconds = pause.as_secs_f32(), "no certificate yet: {error:#}");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Pauses between attempts, growing and jittered, without end.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> {
    backon::ExponentialBuilder::default()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(PAUSE_MAX)
        .without_max_times()
        .with_jitter()
        .build()
}

/// Sleeps by the calendar: a machine that was suspended must not sleep through the end of its certificate.
async fn sleep_until(time: std::time::SystemTime) {
    const LOOK_AGAIN: Duration = Duration::from_secs(600);
    while let Ok(left) = time.duration_since(clock::wall()) {
        tokio::time::sleep(left.min(LOOK_AGAIN)).await;
    }
}

/// A number from 0 to 1, different in every proxy, so that a mesh does not renew in step.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(clock::unix_seconds(clock::wall()).to_bits());
    f64::from((bits >> 40) as u32 & 0xff_ffff) / f64::from(0xff_ffff_u32)
}
