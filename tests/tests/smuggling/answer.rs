//! A strict reader of answers, for what a client got.

/// One answer, without the interim ones before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body came to its own end; the end of the connection is one only where nothing else is promised.
    pub whole: bool,
}

impl Answer {
    /// The first field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is a refusal of the proxy's for `reason`, the last answer of its connection.
    pub fn refuses(&self, reason: &str) -> bool {
        self.field("weft-reason") == Some(reason) && self.field("connection") == Some("close")
    }
}

/// Reads all answers to requests of these methods, in order. `ended` tells whether the server closed after the last byte.
pub fn read_answers(came: &[u8], methods: &[&str], ended: bool) -> Result<Vec<Answer>, String> {
    let mut answers = Vec::new();
    let mut rest = came;
    while !rest.is_empty() {
        let (status, fields) = read_head(&mut rest)?;
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        // An answer that nobody asked for is read as one to GET, so that it can be told.
        let method = methods.get(answers.len()).copied().unwrap_or("GET");
        let (body, whole) = read_body(&mut rest, method, status, &fields, ended)?;
        answers.push(Answer { status, fields, body, whole });
    }
    Ok(answers)
}

type Fields = Vec<(String, String)>;

fn read_head(rest: &mut &[u8]) -> Result<(u16, Fields), String> {
    let line = read_line(rest)?;
    let version = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let code = version.and_then(|after| after.get(..3)).filter(|code| code.bytes().all(|digit| digit.is_ascii_digit()));
    let status = code.and_then(|code| code.parse().ok()).ok_or_else(|| format!("status line {line:?}"))?;
    Ok((status, read_fields(rest)?))
}

fn read_fields(rest: &mut &[u8]) -> Result<Fields, String> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(rest)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| format!("field {line:?}"))?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(format!("field {line:?}"));
        }
        fields.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
    }
}

/// A line without its CRLF, bytes as the code points of the same numbers.
fn read_line(rest: &mut &[u8]) -> Result<String, String> {
    let end = rest
        .windows(2)
        .position(|two| two == b"\r\n")
        .ok_or_else(|| format!("it breaks off: {:?}", rest.escape_ascii().to_string()))?;
    let line: String = rest[..end].iter().copied().map(char::from).collect();
    *rest = &rest[end + 2..];
    if line.contains(|letter: char| letter.is_control() && letter != '\t') {
        return Err(format!("line {line:?}"));
    }
    Ok(line)
}

/// The body, and whether it came to its end.
fn read_body(rest: &mut &[u8], method: &str, status: u16, fields: &Fields, ended: bool) -> Result<(Vec<u8>, bool), String> {
    let all = |name: &str| fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>();
    let (codings, lengths) = (all("transfer-encoding"), all("content-length"));
    if method == "HEAD" || status == 204 || status == 304 || status == 101 {
        return Ok((Vec::new(), true));
    }
    match (&codings[..], &lengths[..]) {
        ([], []) => Ok((take(rest, rest.len()), ended)),
        ([], [length]) => {
            let length: usize = length.parse().map_err(|_| format!("Content-Length {length:?}"))?;
            let whole = rest.len() >= length;
            Ok((take(rest, length), whole))
        }
        (["chunked"], []) => read_chunks(rest),
        _ => Err(format!("Transfer-Encoding {codings:?} and Content-Length {lengths:?}")),
    }
}

fn read_chunks(rest: &mut &[u8]) -> Result<(Vec<u8>, bool), String> {
    let mut body = Vec::new();
    loop {
        if !rest.windows(2).any(|two| two == b"\r\n") {
            *rest = &[];
            return Ok((body, false));
        }
        let line = read_line(rest)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| format!("chunk size {line:?}"))?;
        if size == 0 {
            return Ok((body, read_fields(rest).is_ok()));
        }
        let whole = rest.len() >= size + 2;
        body.extend(take(rest, size));
        if !whole {
            *rest = &[];
            return Ok((body, false));
        }
        if take(rest, 2) != b"\r\n" {
            return Err(String::from("no CRLF after a chunk"));
        }
    }
}

fn take(rest: &mut &[u8], length: usize) -> Vec<u8> {
    let (taken, left) = rest.split_at(length.min(rest.len()));
    *rest = left;
    taken.to_owned()
}
