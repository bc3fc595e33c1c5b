//! What can be wrong with a block, and with one field of it.

use std::fmt;

/// Why a block cannot be read. The peer's fault; nothing after it on the connection could be read either (RFC 9113, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionError {
    /// The block ends within a field.
    Truncated,
    /// A number is larger than any that has a use, or spelled in too many octets.
    Integer,
    /// An index that neither table has.
    Index,
    /// A string's Huffman code has its end within, or is not padded as it must be.
    Huffman,
    /// The dynamic table is to be larger than we allow.
    TableTooLarge,
    /// The dynamic table's size changes elsewhere than at a block's beginning, or more than twice there.
    TableChange,
}

impl fmt::Display for CompressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the peer sent a header block that ends within a field",
            Self::Integer => "the peer sent a header block with a number that is too large",
            Self::Index => "the peer sent a header block with an index that no table has",
            Self::Huffman => "the peer sent a header block with a malformed Huffman code",
            Self::TableTooLarge => "the peer's header table is larger than the setting it was sent",
            Self::TableChange => "the peer changed its header table's size where it may not",
        })
    }
}

impl std::error::Error for CompressionError {}

/// Why a field is none that HTTP/2 allows (RFC 9113, sections 8.2.1 and 8.3). The peer's fault; its stream is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The name is no token in lower case.
    Name,
    /// The value has a control character.
    Value,
    /// The value begins or ends with a space or a tab.
    Edge,
    /// A pseudo-header field that nobody has defined.
    Pseudo,
    /// `:method` is no token.
    Method,
    /// `:status` is not three digits, or less than 100.
    Status,
}

impl Flaw {
    /// What is wrong, in words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "a field's name is no token in lower case",
            Self::Value => "a field's value has a control character",
            Self::Edge => "a field's value begins or ends with white space",
            Self::Pseudo => "it has a pseudo-header field that is not defined",
            Self::Method => "its :method is no token",
            Self::Status => "its :status is none",
        }
    }
}
