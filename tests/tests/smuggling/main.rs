//! No two readers of one byte sequence may disagree about it. Requests go to a strict recorder, nginx, HAProxy and hyper behind our
//! proxies; whatever passes is read by all of them alike, and whatever could be read in two ways is refused.

mod answer;
mod backends;
mod case;
mod cases;
mod exchange;
mod judge;
mod opaque;
mod report;
mod requests;
mod splits;
