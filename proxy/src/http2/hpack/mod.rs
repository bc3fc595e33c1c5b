//! HPACK, how HTTP/2 compresses lists of fields (RFC 7541), for an intermediary: what is read is ready to be handed on, and
//! what repeats costs an octet on the wire and no allocation.
//!
//! In: header blocks, whole. Out: fields, and blocks again. It keeps the two tables of a connection, and knows nothing of
//! frames or streams. What breaks the compression ends the connection ([`CompressionError`]); a field that HTTP/2 does not
//! allow ends its stream alone ([`Flaw`]).
//!
//! | file | subject |
//! |---|---|
//! | `decode` | a block, read |
//! | `encode` | a block, written |
//! | `field` | a field, and what makes one of a name and a value |
//! | `fault` | what can be wrong |
//! | `integer` | numbers with a prefix |
//! | `huffman` | the code of strings |
//! | `fixed` | the static table |
//! | `table` | the dynamic table, as both ends keep it |
//! | `lookup` | where a field stands in the encoder's |
//! | `habit` | which fields are worth keeping there |
//! | `sightings` | which of them were seen before |

mod decode;
mod encode;
mod fault;
mod field;
mod fixed;
mod habit;
mod huffman;
mod integer;
mod lookup;
mod sightings;
mod table;

pub use decode::Decoder;
pub use encode::Encoder;
pub use fault::{CompressionError, Flaw};
pub use field::Field;

#[cfg(test)]
mod tests;
