//! Who gets a certificate, and who does not.

use certs::request::Pending;
use tonic::Code;

use crate::control::{CART, Control, Proof, WEB, until};

fn refused(control: &Control, reason: &str) -> Option<f64> {
    control.metric(&format!("weft_control_certificates_refused_total{{reason=\"{reason}\"}}"))
}

#[tokio::test]
async fn a_token_buys_one_certificate_and_only_at_its_own_address() {
    let control = Control::start();
    let identity = control.certificate(CART, Proof::Token("token-of-cart")).await.unwrap();
    assert_eq!(identity.id().to_string(), "spiffe://cluster.local/ns/shop/sa/cart");
    let stolen = control.certificate(CART, Proof::Token("token-of-web")).await.unwrap_err();
    assert_eq!(stolen.code(), Code::PermissionDenied);
    control.web().await;
    let reused = control.certificate(WEB, Proof::Token("token-of-web")).await.unwrap_err();
    assert!(reused.message().contains("shown before"), "{reused}");
    let invented = control.certificate(WEB, Proof::Token("invented")).await.unwrap_err();
    assert_eq!(invented.code(), Code::Unauthenticated);
    assert_eq!(control.certificate(WEB, Proof::Nothing).await.unwrap_err().code(), Code::Unauthenticated);
    for reason in ["token_stolen", "token_reused", "token_unknown", "no_proof"] {
        assert_eq!(refused(&control, reason), Some(1.0), "{reason}");
    }
    assert_eq!(control.metric("weft_control_certificates_issued_total"), Some(2.0));
}

#[tokio::test]
async fn a_request_that_cannot_be_used_leaves_the_token_good() {
    let control = Control::start();
    let told = control.certify(WEB, Proof::Token("token-of-web"), "nonsense").await.unwrap_err();
    assert_eq!(told.code(), Code::InvalidArgument);
    control.web().await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_for_the_same_request() {
    let control = Control::start();
    let pending = Pending::new().unwrap();
    let ask = || control.certify(WEB, Proof::Token("token-of-web"), pending.csr_pem());
    ask().await.unwrap();
    ask().await.unwrap();
}

#[tokio::test]
async fn a_certificate_renews_itself_and_no_other() {
    let control = Control::start();
    let web = control.web().await;
    let renewed = control.certificate(WEB, Proof::Certificate(&web)).await.unwrap();
    assert_eq!(renewed.id(), web.id());
    assert_ne!(renewed.serial(), web.serial());
    let elsewhere = control.certificate(CART, Proof::Certificate(&web)).await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::PermissionDenied);
    assert_eq!(refused(&control, "renewal_without_pod"), Some(1.0));
}

#[tokio::test]
async fn a_certificate_of_another_root_renews_nothing() {
    let control = Control::start();
    assert!(control.certificate(WEB, Proof::Certificate(&control.foreigner())).await.is_err());
    let counted = "weft_control_handshakes_failed_total{port=\"certificates\",reason=\"certificate\"}";
    until("the foreigner to be counted", || control.metric(counted) >= Some(1.0)).await;
    assert_eq!(refused(&control, "renewal_without_pod"), Some(0.0), "it does not get as far as asking");
}
