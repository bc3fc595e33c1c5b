//! No two readers of one byte sequence may disagree about it. Requests go to a strict recorder, nginx, HAProxy and hyper behind our
//! proxies; whatever passes is read by all of them alike, and whatever could be read in two ways is refused. Answers come from an
//! app that lies; a client reads them as a strict reader does, or is told that they are malformed.

mod answer;
mod answers;
mod backends;
mod case;
mod cases;
mod exchange;
mod judge;
mod lies;
mod opaque;
mod report;
mod requests;
mod splits;
