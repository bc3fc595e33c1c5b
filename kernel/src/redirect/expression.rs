//! The few nf_tables expressions we use, to the kernel and back. Source: `linux/netfilter/nf_tables.h`.

use crate::netlink::{Message, find, number_be, text};

/// `NFT_REG_1`: a value is loaded into this register, and the next expression looks at it there.
const FIRST: u32 = 1;
/// `NFT_REG_VERDICT`.
const VERDICT: u32 = 0;
/// `NFT_RETURN`.
const RETURN: i32 = -5;
/// `NF_NAT_RANGE_PROTO_SPECIFIED`: the port is given. The kernel adds it.
const PORT_GIVEN: u32 = 2;

/// One step of a rule. Every step works on the one register.
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
    Load(Vec<u8>),
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
            Self::Load(_) | Self::Return => "immediate",
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
            Self::Load(value) => {
                data.put_be32(1, FIRST);
                put_value(data, 2, value);
            }
            Self::Return => {
                data.put_be32(1, VERDICT)
                    .nest(2, |inner| inner.nest(VERDICT_DATA, |verdict| verdict.put(VERDICT_CODE, &RETURN.to_be_bytes())));
            }
            Self::Redirect => {
                data.put_be32(1, FIRST);
            }
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

    /// Reads an expression as the kernel tells it; `None` for any that we never write, so that what looks like ours and does
    /// something else is not taken for ours.
    pub(super) fn read(element: &[u8]) -> Option<Self> {
        let name = text(find(element, NAME)?);
        let data = Data(find(element, DATA)?);
        match name.as_str() {
            "meta" if data.on_register(1) => {
                META.into_iter().find(|(key, _)| data.number(2) == Some(*key)).map(|(_, expression)| expression)
            }
            "payload" if data.on_register(1) => {
                let what = (data.number(2)?, data.number(3)?, data.number(4)?);
                PAYLOAD.into_iter().find(|(known, _)| *known == what).map(|(_, expression)| expression)
            }
            "bitwise" => data.mask(),
            "cmp" if data.is_equality() => data.value(3).map(Self::Equals),
            "range" if data.is_equality() => Some(Self::Range { first: data.value(3)?, last: data.value(4)? }),
            "immediate" if data.number(1) == Some(VERDICT) => data.verdict(),
            "immediate" if data.on_register(1) => data.value(2).map(Self::Load),
            "redir" => data.redirect(),
            _ => None,
        }
    }
}

/// What belongs to an expression, as attributes.
struct Data<'a>(&'a [u8]);

impl Data<'_> {
    fn number(&self, kind: u16) -> Option<u32> {
        find(self.0, kind).and_then(number_be)
    }

    fn value(&self, kind: u16) -> Option<Vec<u8>> {
        find(self.0, kind).and_then(|nested| find(nested, VALUE)).map(<[u8]>::to_vec)
    }

    fn on_register(&self, kind: u16) -> bool {
        self.number(kind) == Some(FIRST)
    }

    /// Of `cmp` and `range`: `NFT_CMP_EQ` and `NFT_RANGE_EQ` are 0.
    fn is_equality(&self) -> bool {
        self.on_register(1) && self.number(2) == Some(0)
    }

    fn mask(&self) -> Option<Expression> {
        // `NFT_BITWISE_BOOL` is 0, and kernels before 5.6 know nothing else.
        let masks = self.number(6).unwrap_or(0) == 0 && self.value(5)?.iter().all(|byte| *byte == 0);
        let mask = self.value(4)?;
        let whole = self.number(3).is_some_and(|length| length as usize == mask.len());
        (masks && whole && self.on_register(1) && self.on_register(2)).then_some(Expression::Mask(mask))
    }

    fn verdict(&self) -> Option<Expression> {
        let verdict = find(find(self.0, 2)?, VERDICT_DATA)?;
        (find(verdict, VERDICT_CODE)? == RETURN.to_be_bytes()).then_some(Expression::Return)
    }

    fn redirect(&self) -> Option<Expression> {
        // The kernel repeats the lowest port as the highest.
        let one_port = self.on_register(1) && self.number(2).is_none_or(|register| register == FIRST);
        let plainly = self.number(3).is_none_or(|flags| flags == PORT_GIVEN);
        (one_port && plainly).then_some(Expression::Redirect)
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
            Expression::Load(vec![66, 105]),
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

    #[test]
    fn what_resembles_an_expression_of_ours_is_not_taken_for_it() {
        fn read(name: &str, fill: impl FnOnce(&mut Message) -> &mut Message) -> Option<Expression> {
            let mut message = Message::new(0, 0, &[]);
            message.put_text(NAME, name).nest(DATA, fill);
            Expression::read(&message.bytes(0)[16..])
        }
        let different = read("cmp", |data| data.put_be32(1, FIRST).put_be32(2, 1).nest(3, |value| value.put(VALUE, &[6])));
        assert_eq!(different, None);
        assert_eq!(read("meta", |data| data.put_be32(1, 2).put_be32(2, 16)), None, "into another register");
        assert_eq!(read("redir", |data| data), None, "to the port that was dialled");
        assert_eq!(read("redir", |data| data.put_be32(1, FIRST).put_be32(3, PORT_GIVEN | 4)), None, "to a random port");
        assert_eq!(read("redir", |data| data.put_be32(1, FIRST).put_be32(3, PORT_GIVEN)), Some(Expression::Redirect));
        assert_eq!(read("queue", |data| data), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Expression::read(&bytes);
        }
    }
}
