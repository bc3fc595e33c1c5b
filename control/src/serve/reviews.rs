//! Tokens of service accounts, judged by the API server (TokenReview).
//!
//! The kubelet gives each pod a token of its own: for our audience alone, for its service account, and bound to the pod, whose
//! end is the token's. Nobody else takes it, and we take no other.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo};
use kube::{Api, Client, api::PostParams};

use crate::index::Key;

/// How the API server calls service accounts.
const ACCOUNT: &str = "system:serviceaccount:";

/// Where the API server says which pod a token is bound to.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// Asks the API server what tokens are worth.
#[derive(Clone)]
pub(crate) struct Reviews(Api<TokenReview>);

/// A pod, as its token proves it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) pod: Key,
    pub(super) uid: String,
    pub(super) service_account: String,
}

/// Why a token proves nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Worthless {
    /// The API server could not be asked.
    Unasked(String),
    /// It is not a good token for us.
    Refused(String),
}

impl Reviews {
    pub(super) fn new(client: Client) -> Self {
        Self(Api::all(client))
    }

    /// Which pod shows `token`.
    pub(super) async fn who(&self, token: &str) -> Result<Bearer, Worthless> {
        let spec = TokenReviewSpec { audiences: Some(vec![inject::TOKEN_AUDIENCE.to_owned()]), token: Some(token.to_owned()) };
        let review = TokenReview { spec, ..Default::default() };
        let reviewed = self.0.create(&PostParams::default(), &review).await;
        let reviewed =
            reviewed.map_err(|error| Worthless::Unasked(format!("the API server cannot be asked about it: {error}")))?;
        judge(reviewed.status.unwrap_or_default()).map_err(Worthless::Refused)
    }
}

fn judge(status: TokenReviewStatus) -> Result<Bearer, String> {
    if status.authenticated != Some(true) {
        return Err(status.error.unwrap_or_else(|| String::from("the API server does not know it")));
    }
    // An API server that knows no audiences would let any token pass.
    let audiences = status.audiences.unwrap_or_default();
    if !audiences.iter().any(|audience| audience == inject::TOKEN_AUDIENCE) {
        return Err(format!("it is not meant for {}", inject::TOKEN_AUDIENCE));
    }
    let UserInfo { username, extra, .. } = status.user.unwrap_or_default();
    let username = username.unwrap_or_default();
    let account = username.strip_prefix(ACCOUNT).and_then(|name| name.split_once(':'));
    let (namespace, service_account) = account.ok_or_else(|| format!("`{username}` is no service account"))?;
    let extra = extra.unwrap_or_default();
    let bound = |name: &str| extra.get(name).and_then(|values| values.first()).cloned();
    match (bound(POD_NAME), bound(POD_UID)) {
        (Some(name), Some(uid)) => {
            Ok(Bearer { pod: Key { namespace: namespace.to_owned(), name }, uid, service_account: service_account.to_owned() })
        }
        _ => Err(String::from("it is bound to no pod: use one that the kubelet has projected into a pod")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judged(status: Value) -> Result<Bearer, String> {
        judge(serde_json::from_value(status).unwrap())
    }

    fn good() -> Value {
        json!({
            "authenticated": true,
            "audiences": ["weft.dev"],
            "user": { "username": "system:serviceaccount:shop:web", "extra": { POD_NAME: ["web-1"], POD_UID: ["u1"] } },
        })
    }

    #[test]
    fn a_token_of_a_pod_says_whose_it_is() {
        let pod = Key { namespace: String::from("shop"), name: String::from("web-1") };
        assert_eq!(judged(good()), Ok(Bearer { pod, uid: String::from("u1"), service_account: String::from("web") }));
    }

    #[test]
    fn any_other_token_proves_nothing() {
        let with = |place: &str, value: Value| {
            let mut status = good();
            *status.pointer_mut(place).unwrap() = value;
            judged(status).unwrap_err()
        };
        assert!(with("/authenticated", json!(false)).contains("does not know"));
        assert!(with("/audiences", json!(["https://kubernetes.default.svc"])).contains("not meant for"));
        assert!(with("/audiences", json!([])).contains("not meant for"));
        assert!(with("/user/username", json!("admin")).contains("no service account"));
        assert!(with("/user/extra", json!({})).contains("bound to no pod"));
    }
}
