//! How clients stay with an endpoint. Source: GEP-1619.

use super::{Mistake, matches, time};
use crate::{
    index::routes::{Session, ToldBy},
    manifest::routes::SessionPersistence,
};

/// Source: `SessionPersistence.sessionName`.
const NAME_MAX: usize = 128;

/// What `said`, which stands at `field`, says; `None` when something in it means nothing.
pub(super) fn read(said: &SessionPersistence, field: &str, mistakes: &mut Vec<Mistake>) -> Option<Session> {
    let before = mistakes.len();
    let mut wrong = |at: &str, what: String| mistakes.push(Mistake { field: format!("{field}.{at}"), what });
    let told_by = told_by(said).map_err(|(at, what)| wrong(at, what)).ok();
    let name = said.session_name.clone().unwrap_or_default();
    if !name.is_empty() && (name.len() > NAME_MAX || matches::header_name(&name).is_err()) {
        wrong("sessionName", format!("`{name}` is not the name of a cookie or header"));
    }
    let mut time = |at: &str, text: &Option<String>| {
        let text = text.as_ref()?;
        let read = time::read(text);
        if read.is_none() {
            wrong(at, format!("`{text}` is not a length of time, as in 10s or 1h30m"));
        }
        read
    };
    let (absolute, idle) = (time("absoluteTimeout", &said.absolute_timeout), time("idleTimeout", &said.idle_timeout));
    if told_by == Some(ToldBy::PermanentCookie) && said.absolute_timeout.is_none() {
        wrong("absoluteTimeout", String::from("a permanent cookie needs one"));
    }
    let read = Session { told_by: told_by?, name, absolute, idle };
    (mistakes.len() == before).then_some(read)
}

fn told_by(said: &SessionPersistence) -> Result<ToldBy, (&'static str, String)> {
    let lifetime = said.cookie_config.as_ref().and_then(|config| config.lifetime_type.as_deref());
    match (said.kind.as_deref(), lifetime) {
        (Some("Header"), _) => Ok(ToldBy::Header),
        (None | Some("Cookie"), None | Some("Session")) => Ok(ToldBy::Cookie),
        (None | Some("Cookie"), Some("Permanent")) => Ok(ToldBy::PermanentCookie),
        (None | Some("Cookie"), Some(other)) => {
            Err(("cookieConfig.lifetimeType", format!("`{other}` is not known: expected Session or Permanent")))
        }
        (Some(other), _) => Err(("type", format!("`{other}` is not known: expected Cookie or Header"))),
    }
}
