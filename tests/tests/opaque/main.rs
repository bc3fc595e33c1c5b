//! Opaque TCP between real programs: whatever works without a mesh works through two sidecars, through one, and the same.

mod asker;
mod bulk;
mod certificate;
mod databases;
mod endings;
mod files;
mod first_word;
mod many;
mod messengers;
mod tls;
