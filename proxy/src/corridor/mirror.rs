//! Copies of requests, whose answers nobody hears. Whatever becomes of a copy, the original does not notice.

use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;

use super::{Facts, Walk, again, attempt};
use crate::{
    events::{Event, Extra, Fate},
    payload::{Payload, tee},
    relay::{Answer, Aside, Call, Switch},
    route::{self, Permit},
    snapshot::{Cluster, Mirror},
};

/// Copies that a worker has on their way at once. What would be more is left out.
pub const COPIES_MAX: usize = 256;

/// How long a copy may take, its answer included.
const COPY_TIME: Duration = Duration::from_secs(30);

/// All of something, in millionths.
const WHOLE: usize = 1_000_000;

/// Sends the copies of `call` that `mirrors` are to have.
pub(super) fn copies(walk: &Rc<Walk>, mirrors: &[Mirror], permit: &Permit, dialled: SocketAddr, call: &mut Call, facts: &Facts) {
    // What a client would switch to is a conversation of two.
    if call.switch != Switch::No {
        return;
    }
    for Mirror { millionths, cluster } in mirrors {
        let Some(cluster) = cluster else { continue };
        if walk.world.dice.roll(WHOLE) >= usize::try_from(*millionths).unwrap_or(WHOLE) {
            continue;
        }
        let Ok(place) = walk.world.copies.clone().try_acquire_owned() else {
            told(walk, Fate::Withheld);
            continue;
        };
        let (body, copied) = tee(std::mem::take(call.request.body_mut()));
        *call.request.body_mut() = body;
        let copy = Copy {
            cluster: cluster.clone(),
            permit: permit.clone(),
            dialled,
            request: Box::new(again::head(&call.request).map(|()| copied)),
            facts: Facts { counted: false, ..facts.clone() },
            _place: place,
        };
        tokio::task::spawn_local(copy.send(walk.clone()));
    }
}

/// A copy of a request.
struct Copy {
    cluster: Arc<Cluster>,
    permit: Permit,
    dialled: SocketAddr,
    request: Box<http::Request<Payload>>,
    facts: Facts,
    _place: OwnedSemaphorePermit,
}

impl Copy {
    async fn send(self, walk: Rc<Walk>) {
        let Self { cluster, permit, dialled, request, facts, _place } = self;
        let call = Call { request, switch: Switch::No, aside: Aside::default() };
        let sent = async {
            match attempt(&walk, dialled, route::plain(&cluster, permit), call, facts).await {
                Ok(Answer::Message(response)) => {
                    again::drained(response.into_body()).await;
                    true
                }
                Ok(_) => false,
                Err(refusal) => {
                    tracing::debug!(%refusal, "a copy got no answer");
                    false
                }
            }
        };
        let answered = tokio::time::timeout(COPY_TIME, sent).await.unwrap_or_default();
        told(&walk, if answered { Fate::Sent } else { Fate::Failed });
    }
}

fn told(walk: &Walk, fate: Fate) {
    walk.world.recorder.on(Event::Extra { extra: Extra::Mirror, fate });
}
