//! How long a body is (RFC 9112, section 6.3), where there is only one way to tell.

use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::Malformed;

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// There is none, or this many bytes.
    Exact(u64),
    /// It says so piece by piece.
    Chunked,
    /// It lasts until the connection ends. Responses only.
    UntilClose,
}

/// The length of a request's body.
pub fn of_request(version: Version, headers: &HeaderMap) -> Result<Length, Malformed> {
    Ok(told(version, headers)?.unwrap_or(Length::Exact(0)))
}

/// The length of the body of an answer to `method`.
pub fn of_response(method: &Method, status: StatusCode, version: Version, headers: &HeaderMap) -> Result<Length, Malformed> {
    let told = told(version, headers)?;
    if !may_have_body(method, status) {
        return Ok(Length::Exact(0));
    }
    Ok(told.unwrap_or(Length::UntilClose))
}

/// Whether an answer with `status` to `method` may have a body at all.
pub fn may_have_body(method: &Method, status: StatusCode) -> bool {
    let never = status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    *method != Method::HEAD && !never
}

/// Whether the connection goes on after a message (RFC 9112, section 9.3).
pub fn persists(version: Version, headers: &HeaderMap) -> bool {
    if names(headers, "close") {
        return false;
    }
    version == Version::HTTP_11 || names(headers, "keep-alive")
}

/// Whether `Connection` names `option`.
pub fn names(headers: &HeaderMap, option: &str) -> bool {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(option))
}

/// The number that `Content-Length` is, if there is one.
pub fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        // Even two that are equal: who merges them and who takes one of them differ about what follows.
        (Some(value), None) => number(value).map(Some),
        (Some(_), Some(_)) => Err(Malformed::ContentLength),
    }
}

fn told(version: Version, headers: &HeaderMap) -> Result<Option<Length>, Malformed> {
    let length = content_length(headers)?;
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(length.map(Length::Exact)) };
    if version == Version::HTTP_10 || codings.next().is_some() {
        return Err(Malformed::TransferEncoding);
    }
    if length.is_some() {
        return Err(Malformed::TwoFramings);
    }
    if coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Ok(Some(Length::Chunked));
    }
    let known = coding.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-, ".contains(byte));
    let twice = coding.as_bytes().to_ascii_lowercase().windows(7).any(|word| word == b"chunked");
    Err(if known && !twice { Malformed::Coding } else { Malformed::TransferEncoding })
}

fn number(value: &HeaderValue) -> Result<u64, Malformed> {
    let digits = value.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::ContentLength);
    }
    // Signed in many a reader.
    let number = value.to_str().ok().and_then(|text| text.parse::<i64>().ok());
    number.and_then(|number| u64::try_from(number).ok()).ok_or(Malformed::ContentLength)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    type Field = (&'static str, &'static str);

    fn headers(fields: &[Field]) -> HeaderMap {
        let field = |(name, value): &Field| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter().map(field) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn a_request_is_framed_in_one_way_or_refused() {
        const CL: &str = "content-length";
        const TE: &str = "transfer-encoding";
        let cases: [(&[Field], Result<Length, Malformed>); 17] = [
            (&[], Ok(Length::Exact(0))),
            (&[(CL, "5")], Ok(Length::Exact(5))),
            (&[(CL, "005")], Ok(Length::Exact(5))),
            (&[(TE, "Chunked")], Ok(Length::Chunked)),
            (&[(CL, "5"), (CL, "5")], Err(Malformed::ContentLength)),
            (&[(CL, "5, 5")], Err(Malformed::ContentLength)),
            (&[(CL, "+5")], Err(Malformed::ContentLength)),
            (&[(CL, "-5")], Err(Malformed::ContentLength)),
            (&[(CL, "0x5")], Err(Malformed::ContentLength)),
            (&[(CL, "")], Err(Malformed::ContentLength)),
            (&[(CL, "9223372036854775808")], Err(Malformed::ContentLength)),
            (&[(TE, "chunked"), (CL, "5")], Err(Malformed::TwoFramings)),
            (&[(TE, "chunked"), (TE, "chunked")], Err(Malformed::TransferEncoding)),
            (&[(TE, "chunked, chunked")], Err(Malformed::TransferEncoding)),
            (&[(TE, "xchunked")], Err(Malformed::TransferEncoding)),
            (&[(TE, "chunked\u{9}x")], Err(Malformed::TransferEncoding)),
            (&[(TE, "gzip")], Err(Malformed::Coding)),
        ];
        for (fields, expected) in cases {
            assert_eq!(of_request(Version::HTTP_11, &headers(fields)), expected, "{fields:?}");
        }
        assert_eq!(of_request(Version::HTTP_10, &headers(&[(TE, "chunked")])), Err(Malformed::TransferEncoding));
    }

    #[test]
    fn an_answer_without_framing_lasts_until_the_end() {
        let of = |method, status, fields| of_response(&method, status, Version::HTTP_11, &headers(fields));
        assert_eq!(of(Method::GET, StatusCode::OK, &[]), Ok(Length::UntilClose));
        assert_eq!(of(Method::HEAD, StatusCode::OK, &[("content-length", "5")]), Ok(Length::Exact(0)));
        assert_eq!(of(Method::GET, StatusCode::NOT_MODIFIED, &[("content-length", "5")]), Ok(Length::Exact(0)));
        assert_eq!(of(Method::GET, StatusCode::OK, &[("content-length", "x")]), Err(Malformed::ContentLength));
    }

    #[test]
    fn persistence_is_the_default_of_the_newer_version() {
        assert!(persists(Version::HTTP_11, &headers(&[])));
        assert!(!persists(Version::HTTP_11, &headers(&[("connection", "x, Close")])));
        assert!(!persists(Version::HTTP_10, &headers(&[])));
        assert!(persists(Version::HTTP_10, &headers(&[("connection", "Keep-Alive")])));
    }
}
