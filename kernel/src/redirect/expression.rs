//! The few nf_tables expressions we use, to the kernel and back. Source: `linux/netfilter/nf_tables.h`.

use crate::netlink::{Message, find, number_be};

/// Registers of the rule machine: a value is loaded into one and the next expression looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    First,
}

/// `NFT_REG_1`.
const FIRST: u32 = 1;
/// `NFT_REG_VERDICT`.
const VERDICT: u32 = 0;
/// `NFT_RETURN`.
const RETURN: i32 = -5;

/// One step of a rule. Every step works on the first register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Load the index of the link a packet came in by.
    InputLink,
    /// Load the index of the link it leaves by.
    OutputLink,
    /// Load the user who owns the sending socket.
    SocketUser,
    /// Load the packet's mark.
    Mark,
    /// Load the address family.
    Family,
    /// Load the transport protocol.
    Transport,
    /// Load the destination address, IPv4.
    DestinationV4,
    /// Load the destination address, IPv6.
    DestinationV6,
    /// Load the destination port.
    DestinationPort,
    /// Keep only these bits.
    Mask(Vec<u8>),
    /// Go on only if it is this.
    Equals(Vec<u8>),
    /// Go on only if it lies between these, both included.
    Range { first: Vec<u8>, last: Vec<u8> },
    /// Load a constant.
    Load(Register, Vec<u8>),
    /// Send the connection to a local port, the loaded one.
    Redirect,
    /// Leave the chain.
    Return,
}

/// `enum nft_meta_keys`.
const META: [(u32, Expression); 6] = [
    (3, Expression::Mark),
    (4, Expression::InputLink),
    (5, Expression::OutputLink),
    (10, Expression::SocketUser),
    (15, Expression::Family),
    (16, Expression::Transport),
];

/// Header, offset and length of what is loaded from a packet.
const PAYLOAD: [((u32, u32, u32), Expression); 3] =
    [((1, 16, 4), Expression::DestinationV4), ((1, 24, 16), Expression::DestinationV6), ((2, 2, 2), Expression::DestinationPort)];

/// `NFTA_LIST_ELEM`, `NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`, `NFTA_DATA_VALUE`, `NFTA_DATA_VERDICT`, `NFTA_VERDICT_CODE`.
const ELEMENT: u16 = 1;
const NAME: u16 = 1;
const DATA: u16 = 2;
const VALUE: u16 = 1;
const VERDICT_DATA: u16 = 2;
const VERDICT_CODE: u16 = 1;

impl Expression {
    /// Writes the expression into a rule.
    pub(super) fn write(&self, rule: &mut Message) {
        rule.nest(ELEMENT, |element| {
            element.put_text(NAME, self.name()).nest(DATA, |data| {
                self.write_data(data);
                data
            })
        });
    }

    fn name(&self) -> &'static str {
        match self {
            Self::InputLink | Self::OutputLink | Self::SocketUser | Self::Mark | Self::Family | Self::Transport => "meta",
            Self::DestinationV4 | Self::DestinationV6 | Self::DestinationPort => "payload",
            Self::Mask(_) => "bitwise",
            Self::Equals(_) => "cmp",
            Self::Range { .. } => "range",
            Self::Load(..) | Self::Return => "immediate",
            Self::Redirect => "redir",
        }
    }

    fn write_data(&self, data: &mut Message) {
        match self {
            Self::Mask(mask) => {
                let length = u32::try_from(mask.len()).unwrap_or(0);
                data.put_be32(1, FIRST).put_be32(2, FIRST).put_be32(3, length);
                put_value(data, 4, mask);
                put_value(data, 5, &vec![0; mask.len()]);
            }
            Self::Equals(value) => {
                data.put_be32(1, FIRST).put_be32(2, 0);
                put_value(data, 3, value);
            }
            Self::Range { first, last } => {
                data.put_be32(1, FIRST).put_be32(2, 0);
                put_value(data, 3, first);
                put_value(data, 4, last);
            }
            Self::Load(Register::First, value) => {
                data.put_be32(1, FIRST);
                put_value(data, 2, value);
            }
            Self::Return => {
                data.put_be32(1, VERDICT)
                    .nest(2, |inner| inner.nest(VERDICT_DATA, |verdict| verdict.put(VERDICT_CODE, &RETURN.to_be_bytes())));
            }
            Self::Redirect => drop(data.put_be32(1, FIRST)),
            loading => loading.write_load(data),
        }
    }

    fn write_load(&self, data: &mut Message) {
        if let Some((key, _)) = META.iter().find(|(_, expression)| expression == self) {
            data.put_be32(1, FIRST).put_be32(2, *key);
        }
        if let Some(((header, offset, length), _)) = PAYLOAD.iter().find(|(_, expression)| expression == self) {
            data.put_be32(1, FIRST).put_be32(2, *header).put_be32(3, *offset).put_be32(4, *length);
        }
    }

    /// Reads an expression as the kernel tells it; `None` for any that we never write.
    pub(super) fn read(element: &[u8]) -> Option<Self> {
        let name = find(element, NAME)?;
        let data = find(element, DATA)?;
        let number = |kind| find(data, kind).and_then(number_be);
        let value = |kind| find(data, kind).and_then(|nested| find(nested, VALUE)).map(<[u8]>::to_vec);
        match name.strip_suffix(&[0]).unwrap_or(name) {
            b"meta" => META.into_iter().find(|(key, _)| number(2) == Some(*key)).map(|(_, expression)| expression),
            b"payload" => {
                let what = (number(2)?, number(3)?, number(4)?);
                PAYLOAD.into_iter().find(|(known, _)| *known == what).map(|(_, expression)| expression)
            }
            b"bitwise" if number(6).unwrap_or(0) == 0 && value(5)?.iter().all(|byte| *byte == 0) => value(4).map(Self::Mask),
            b"cmp" if number(2) == Some(0) => value(3).map(Self::Equals),
            b"range" if number(2) == Some(0) => Some(Self::Range { first: value(3)?, last: value(4)? }),
            b"immediate" if number(1) == Some(VERDICT) => {
                let verdict = find(find(data, 2)?, VERDICT_DATA)?;
                (find(verdict, VERDICT_CODE)? == RETURN.to_be_bytes()).then_some(Self::Return)
            }
            b"immediate" => value(2).map(|value| Self::Load(Register::First, value)),
            b"redir" => Some(Self::Redirect),
            _ => None,
        }
    }
}

fn put_value(data: &mut Message, kind: u16, value: &[u8]) {
    data.nest(kind, |nested| nested.put(VALUE, value));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_expression_is_read_back_as_it_was_written() {
        let mut all: Vec<Expression> = META.into_iter().map(|(_, expression)| expression).collect();
        all.extend(PAYLOAD.into_iter().map(|(_, expression)| expression));
        all.extend([
            Expression::Mask(vec![255, 255, 0, 0]),
            Expression::Equals(vec![6]),
            Expression::Range { first: vec![0, 80], last: vec![0, 90] },
            Expression::Load(Register::First, vec![66, 105]),
            Expression::Redirect,
            Expression::Return,
        ]);
        for expression in all {
            let mut message = Message::new(0, 0, &[]);
            expression.write(&mut message);
            let bytes = message.bytes(0);
            let element = find(&bytes[16..], ELEMENT).unwrap();
            assert_eq!(Expression::read(element), Some(expression));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Expression::read(&bytes);
        }
    }
}
