//! SPIFFE names, in the one shape this mesh uses: `spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT`.
//!
//! Source: the SPIFFE-ID specification, sections 2 and 2.3 (characters and lengths).

use std::{fmt, str::FromStr, sync::Arc};

/// A trust domain may not be longer than this (SPIFFE-ID, section 2.1).
const TRUST_DOMAIN_MAX: usize = 255;

/// A whole SPIFFE ID may not be longer than this (SPIFFE-ID, section 2.3).
const ID_MAX: usize = 2048;

/// Namespace of the control component.
const CONTROL_NAMESPACE: &str = "weft-system";

/// Service account of the control component.
const CONTROL_ACCOUNT: &str = "weft-control";

/// Why a name is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The trust domain is empty, too long, or has other characters than `a-z 0-9 . - _`.
    #[error("`{0}` is not a trust domain: use 1 to 255 of a-z, 0-9, dot, hyphen and underscore")]
    TrustDomain(String),
    /// A namespace or service account is empty or has other characters than `a-z A-Z 0-9 . - _`.
    #[error("`{0}` cannot be part of a SPIFFE ID: use letters, digits, dot, hyphen and underscore")]
    Segment(String),
    /// The text is not of the form this mesh uses.
    #[error("`{0}` is not of the form spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT")]
    Form(String),
}

/// The name of a mesh whose members trust the same roots, such as `cluster.local`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrustDomain(Arc<str>);

/// Who a workload is. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    namespace: Arc<str>,
    service_account: Arc<str>,
}

impl SpiffeId {
    /// The identity of a service account.
    ///
    /// # Errors
    /// [`NameError::Segment`] when a part has a character that SPIFFE does not allow.
    pub fn new(trust_domain: &TrustDomain, namespace: &str, service_account: &str) -> Result<Self, NameError> {
        Ok(Self {
            trust_domain: trust_domain.clone(),
            namespace: segment(namespace)?.into(),
            service_account: segment(service_account)?.into(),
        })
    }

    /// The identity of the control component.
    pub fn control(trust_domain: &TrustDomain) -> Self {
        Self { trust_domain: trust_domain.clone(), namespace: CONTROL_NAMESPACE.into(), service_account: CONTROL_ACCOUNT.into() }
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The service account.
    pub fn service_account(&self) -> &str {
        &self.service_account
    }
}

impl FromStr for SpiffeId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let form = || NameError::Form(shortened(text));
        if text.len() > ID_MAX {
            return Err(form());
        }
        let rest = text.strip_prefix("spiffe://").ok_or_else(form)?;
        let parts: Vec<&str> = rest.split('/').collect();
        match parts[..] {
            [trust_domain, "ns", namespace, "sa", account] => Self::new(&trust_domain.parse()?, namespace, account),
            _ => Err(form()),
        }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/ns/{}/sa/{}", self.trust_domain, self.namespace, self.service_account)
    }
}

impl FromStr for TrustDomain {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if text.is_empty() || text.len() > TRUST_DOMAIN_MAX || !text.bytes().all(allowed) {
            return Err(NameError::TrustDomain(shortened(text)));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for TrustDomain {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn segment(text: &str) -> Result<&str, NameError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    // Relative segments are forbidden: a reader that resolved them would see another name.
    let relative = text == "." || text == "..";
    if text.is_empty() || text.len() > 253 || relative || !text.bytes().all(allowed) {
        return Err(NameError::Segment(shortened(text)));
    }
    Ok(text)
}

/// Names come from certificates of strangers; what is quoted of them stays short, and on one line.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(120).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let id: SpiffeId = "spiffe://cluster.local/ns/shop/sa/cart".parse().unwrap();
        assert_eq!((id.trust_domain().as_ref(), id.namespace(), id.service_account()), ("cluster.local", "shop", "cart"));
        assert_eq!(id.to_string(), "spiffe://cluster.local/ns/shop/sa/cart");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "spiffe://",
            "spiffe://cluster.local",
            "spiffe://cluster.local/ns/shop/sa/",
            "spiffe://cluster.local/ns/shop/sa/cart/",
            "spiffe://cluster.local/ns/shop/sa/cart/x",
            "spiffe://cluster.local/ns/../sa/cart",
            "spiffe://Cluster.Local/ns/shop/sa/cart",
            "spiffe://cluster.local:80/ns/shop/sa/cart",
            "spiffe://user@cluster.local/ns/shop/sa/cart",
            "SPIFFE://cluster.local/ns/shop/sa/cart",
            "https://cluster.local/ns/shop/sa/cart",
            "spiffe://cluster.local/ns/sh%6fp/sa/cart",
            "spiffe://cluster.local/ns/shop/sa/cart?x=1",
        ] {
            assert!(text.parse::<SpiffeId>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_quoted_of_a_name_cannot_begin_another_line() {
        let error = "x\nlevel=info all=well\x1b[2J".parse::<SpiffeId>().unwrap_err().to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
        assert!("x".repeat(5000).parse::<SpiffeId>().unwrap_err().to_string().len() < 250);
    }

    proptest! {
        #[test]
        fn whatever_parses_is_written_the_same(text in "(spiffe://)?[a-zA-Z0-9./_-]{0,60}") {
            if let Ok(id) = text.parse::<SpiffeId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
