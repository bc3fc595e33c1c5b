//! How much of an answer is still to come.

use anyhow::{Context as _, bail, ensure};

use super::order::Exchange;

/// More header fields than any app here sends.
const FIELDS_MAX: usize = 32;

/// An answer that is being read.
#[derive(Debug)]
pub(super) struct Reply {
    /// What was read of the head, as long as it is incomplete.
    head: Vec<u8>,
    /// Bytes still to come; unknown before the head is complete.
    left: Option<u64>,
}

impl Reply {
    /// The answer to `exchange`, of which nothing was read yet.
    pub(super) fn to(exchange: &Exchange) -> Self {
        let left = match exchange {
            Exchange::Opaque(wanted) => Some(*wanted),
            Exchange::Http(_) => None,
        };
        Self { head: Vec::new(), left }
    }

    /// Takes what was read. Returns whether the answer is complete.
    ///
    /// # Errors
    /// It is not an answer, not a good one, or there is more than was asked for.
    pub(super) fn take(&mut self, bytes: &[u8]) -> anyhow::Result<bool> {
        let (left, body) = match self.left {
            Some(left) => (left, bytes.len()),
            None => {
                self.head.extend_from_slice(bytes);
                let Some((head, length)) = head(&self.head)? else { return Ok(false) };
                (length, self.head.len() - head)
            }
        };
        let left = left.checked_sub(u64::try_from(body)?).context("more came than was asked for")?;
        self.left = Some(left);
        Ok(left == 0)
    }
}

/// Bytes of a head, and of the body it promises; nothing if it is incomplete.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(usize, u64)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(size) = response.parse(bytes).context("not an HTTP answer")? else { return Ok(None) };
    ensure!(response.code == Some(200), "the status is {:?}", response.code);
    let Some(length) = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length")) else {
        bail!("an answer without Content-Length");
    };
    Ok(Some((size, std::str::from_utf8(length.value)?.trim().parse()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\n\r\nbody";

    #[test]
    fn an_answer_is_complete_at_its_last_byte_however_it_is_cut() {
        for cut in 0..ANSWER.len() {
            let mut reply = Reply::to(&Exchange::Http(String::from("/")));
            assert!(!reply.take(&ANSWER[..cut]).unwrap(), "{cut}");
            assert!(reply.take(&ANSWER[cut..]).unwrap(), "{cut}");
        }
    }

    #[test]
    fn opaque_bytes_are_counted() {
        let mut reply = Reply::to(&Exchange::Opaque(5));
        assert!(!reply.take(b"1234").unwrap());
        assert!(reply.take(b"5").unwrap());
        assert!(reply.take(b"6").is_err());
    }

    #[test]
    fn only_a_good_answer_counts() {
        let mut reply = Reply::to(&Exchange::Http(String::from("/")));
        assert!(reply.take(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").is_err());
        let mut reply = Reply::to(&Exchange::Http(String::from("/")));
        assert!(reply.take(b"\x15\x03\x01garbage").is_err());
    }
}
