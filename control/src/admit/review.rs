//! One question of the API server's, and its answer (`admission.k8s.io/v1`). Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use inject::{Settings, Wish, inject, wish};
use serde_json::{Value, json};

/// Annotation of pods that a kubelet runs by itself and shows to the API server: they cannot be changed.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Who has asked for sidecars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The namespace, by its label. A pod that cannot have one is let in without.
    ByNamespace,
    /// The pod itself. It is refused if it cannot have one.
    ByPod,
}

impl Asked {
    /// By the path at which the API server asks: each has a webhook of its own, with another selector.
    pub(crate) fn from_path(path: &str) -> Option<Self> {
        match path {
            "/inject/namespace" => Some(Self::ByNamespace),
            "/inject/pod" => Some(Self::ByPod),
            _ => None,
        }
    }
}

/// What the API server is told, and what is to be done beside.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// The AdmissionReview.
    pub(crate) review: Value,
    pub(crate) beside: Beside,
}

/// What is to be done beside an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    Nothing,
    /// Pods of this namespace need the trust bundle.
    Bundle {
        namespace: String,
    },
    /// Somebody should hear why there is no sidecar.
    Tell {
        namespace: String,
        owner: Box<Value>,
        why: String,
    },
}

/// Answers `review`.
///
/// # Errors
/// It is no AdmissionReview of a pod.
pub(crate) fn review(review: &Value, asked: Asked, settings: &Settings) -> Result<Answer, String> {
    let request = &review["request"];
    let uid = request["uid"].as_str().ok_or("it is no AdmissionReview: it has no request.uid")?;
    let pod = &request["object"];
    if request["kind"]["kind"] != "Pod" || !pod.is_object() {
        return Err(String::from("it is not about a pod"));
    }
    let answer = |response: Value, beside: Beside| {
        let mut response = response;
        response["uid"] = json!(uid);
        let review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response });
        Answer { review, beside }
    };
    let let_in = || answer(json!({ "allowed": true }), Beside::Nothing);
    if pod["metadata"]["annotations"][MIRROR].is_string() {
        return Ok(let_in());
    }
    let namespace = request["namespace"].as_str().unwrap_or("default").to_owned();
    let injected = match wish(pod) {
        Ok(Wish::Disabled) => return Ok(let_in()),
        Ok(Wish::Enabled | Wish::Unsaid) => inject(pod, settings),
        Err(mistake) => Err(vec![mistake]),
    };
    // Asked to only try, we leave nothing behind.
    let is_trial = request["dryRun"] == true;
    Ok(match injected {
        Ok(injected) => {
            let beside = if is_trial { Beside::Nothing } else { Beside::Bundle { namespace } };
            answer(patched(pod, &injected), beside)
        }
        Err(mistakes) => {
            let why = format!("weft: no sidecar: {}", mistakes.join("; "));
            // What its owner got wrong is not let in half-way: without what was asked for it would do something else.
            if asked == Asked::ByPod || is_mistaken(pod) {
                return Ok(answer(json!({ "allowed": false, "status": { "code": 422, "message": why } }), Beside::Nothing));
            }
            let owner = Box::new(pod["metadata"]["ownerReferences"][0].clone());
            let beside = if is_trial { Beside::Nothing } else { Beside::Tell { namespace, owner, why: why.clone() } };
            answer(json!({ "allowed": true, "warnings": [why] }), beside)
        }
    })
}

/// Whether a pod has words for us that mean nothing, which is something else than being unfit.
fn is_mistaken(pod: &Value) -> bool {
    wish(pod).is_err() || inject::mistakes(pod).is_some()
}

fn patched(before: &Value, after: &Value) -> Value {
    let patch = json_patch::diff(before, after);
    if patch.0.is_empty() {
        return json!({ "allowed": true });
    }
    // A list of operations, texts and values: it always has a JSON form.
    let patch = serde_json::to_vec(&patch).unwrap_or_default();
    json!({ "allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(pod: Value) -> Value {
        json!({ "kind": "AdmissionReview", "request": {
            "uid": "u", "kind": { "kind": "Pod" }, "namespace": "shop", "object": pod,
        } })
    }

    fn pod() -> Value {
        json!({ "metadata": { "name": "cart" }, "spec": { "containers": [{ "name": "app" }] } })
    }

    fn answered(question: &Value, asked: Asked) -> Answer {
        review(question, asked, &Settings::default()).unwrap()
    }

    /// The pod as the answer's patch makes it.
    fn apply(answer: &Answer, mut pod: Value) -> Value {
        let patch = STANDARD.decode(answer.review["response"]["patch"].as_str().unwrap()).unwrap();
        json_patch::patch(&mut pod, &serde_json::from_slice::<json_patch::Patch>(&patch).unwrap()).unwrap();
        pod
    }

    #[test]
    fn a_pod_is_patched_once_however_often_it_is_shown() {
        let answer = answered(&asking(pod()), Asked::ByNamespace);
        assert_eq!(answer.beside, Beside::Bundle { namespace: String::from("shop") });
        let patched = apply(&answer, pod());
        assert_eq!(patched["spec"]["initContainers"][1]["name"], "weft-proxy");
        let again = answered(&asking(patched), Asked::ByNamespace);
        assert_eq!(again.review["response"], json!({ "allowed": true, "uid": "u" }));
    }

    #[test]
    fn a_trial_leaves_nothing_behind() {
        let mut question = asking(pod());
        question["request"]["dryRun"] = json!(true);
        let answer = answered(&question, Asked::ByNamespace);
        assert_eq!(answer.beside, Beside::Nothing);
        assert!(answer.review["response"]["patch"].is_string());
    }

    #[test]
    fn an_unfit_pod_is_let_in_unless_it_has_asked_itself() {
        let mut unfit = pod();
        unfit["spec"]["hostNetwork"] = json!(true);
        let let_in = answered(&asking(unfit.clone()), Asked::ByNamespace);
        assert_eq!(let_in.review["response"]["allowed"], true);
        assert!(let_in.review["response"]["warnings"][0].as_str().unwrap().contains("hostNetwork"));
        assert!(matches!(let_in.beside, Beside::Tell { .. }));
        let refused = answered(&asking(unfit), Asked::ByPod);
        assert_eq!(refused.review["response"]["allowed"], false);
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for (place, word) in [("labels", "weft.dev/inject"), ("annotations", "weft.dev/skip-inbuond-ports")] {
            let mut mistaken = pod();
            mistaken["metadata"][place] = json!({ word: "80" });
            let refused = answered(&asking(mistaken), Asked::ByNamespace);
            assert_eq!(refused.review["response"]["allowed"], false, "{word}");
        }
    }

    #[test]
    fn who_wants_none_gets_none() {
        let mut unwilling = pod();
        unwilling["metadata"]["labels"] = json!({ "weft.dev/inject": "disabled" });
        let answer = answered(&asking(unwilling), Asked::ByNamespace);
        assert_eq!(answer.review["response"], json!({ "allowed": true, "uid": "u" }));
        let mut mirror = pod();
        mirror["metadata"]["annotations"] = json!({ MIRROR: "x" });
        assert_eq!(answered(&asking(mirror), Asked::ByNamespace).beside, Beside::Nothing);
    }

    #[test]
    fn anything_else_is_no_question() {
        for wrong in [json!({}), json!([]), json!({ "request": { "uid": "u", "kind": { "kind": "Node" }, "object": {} } })] {
            assert!(review(&wrong, Asked::ByPod, &Settings::default()).is_err());
        }
    }
}
