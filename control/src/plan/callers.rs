//! Who may call a pod: its default policy, and what is asked of its callers, in one word for each port.

use std::collections::BTreeMap;

use crate::index::{DefaultPolicy, Proof, Proofs};

/// Who may call a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Callers {
    elsewhere: DefaultPolicy,
    /// At ports where it is another, or proof is asked for elsewhere and not there, or the other way round.
    ports: BTreeMap<u16, DefaultPolicy>,
    proofs: Proofs,
}

impl Callers {
    /// Whom both let in.
    pub(super) fn of(default_policy: DefaultPolicy, proofs: &Proofs) -> Self {
        let both = |proof: Option<Proof>| match (default_policy, proof) {
            (DefaultPolicy::AllowAll, Some(Proof::Required)) => DefaultPolicy::AllowAuthenticated,
            (policy, _) => policy,
        };
        let elsewhere = both(proofs.everywhere);
        let need_proof = |proof: Option<Proof>| proof == Some(Proof::Required);
        let is_another = |(port, policy): &(u16, DefaultPolicy)| {
            *policy != elsewhere || need_proof(proofs.ports.get(port).copied()) != need_proof(proofs.everywhere)
        };
        let ports = proofs.ports.iter().map(|(port, proof)| (*port, both(Some(*proof))));
        Self { elsewhere, ports: ports.filter(is_another).collect(), proofs: proofs.clone() }
    }

    /// Whether they must prove who they are, whatever else lets them in.
    pub(super) fn need_proof(&self) -> bool {
        self.proofs.everywhere == Some(Proof::Required)
    }

    /// The same at a port.
    pub(super) fn need_proof_at(&self, port: u16) -> bool {
        self.proofs.ports.get(&port).map_or(self.need_proof(), |proof| *proof == Proof::Required)
    }

    /// At all ports but [`ports`](Self::ports).
    pub(super) fn elsewhere(&self) -> DefaultPolicy {
        self.elsewhere
    }

    /// At one of [`ports`](Self::ports).
    pub(super) fn at(&self, port: u16) -> Option<DefaultPolicy> {
        self.ports.get(&port).copied()
    }

    /// Ports of which something else is said than of all others.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> {
        self.ports.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_both_counts_at_each_port() {
        use DefaultPolicy::{AllowAll, AllowAuthenticated, Deny};
        let proofs = |everywhere, port| Proofs { everywhere, ports: [(9090, port)].into() };
        for (policy, everywhere, port, elsewhere, there) in [
            (AllowAll, None, Proof::Required, AllowAll, Some(AllowAuthenticated)),
            (AllowAll, Some(Proof::Required), Proof::Welcome, AllowAuthenticated, Some(AllowAll)),
            (AllowAll, Some(Proof::Required), Proof::Required, AllowAuthenticated, None),
            (AllowAuthenticated, Some(Proof::Welcome), Proof::Welcome, AllowAuthenticated, None),
            (Deny, Some(Proof::Welcome), Proof::Welcome, Deny, None),
        ] {
            let callers = Callers::of(policy, &proofs(everywhere, port));
            assert_eq!((callers.elsewhere(), callers.at(9090)), (elsewhere, there), "{policy:?} {everywhere:?} {port:?}");
        }
    }
}
