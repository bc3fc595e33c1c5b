//! A block, read (RFC 7541, section 3.2 and 6).

use bytes::Bytes;

use super::{
    CompressionError, Field,
    field::Name,
    fixed, huffman, integer,
    table::{self, OVERHEAD, Table},
};

/// Changes of the table's size that a block may begin with (RFC 7541, section 4.2).
const CHANGES_MAX: usize = 2;

/// Octets of scratch that are kept from one block to the next; what a longer string needed is given back.
const SCRATCH_KEPT: usize = 4096;

/// One direction of a connection, read: the table that the peer's encoder fills.
#[derive(Debug)]
pub struct Decoder {
    table: Table<Entry>,
    /// The most that the peer may make of the table.
    table_max: usize,
    /// The string being decoded.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    field: Field,
    /// Its name, if `field` does not tell: another value can make a good field of a malformed one.
    name: Option<Box<Name>>,
    name_length: usize,
}

impl Decoder {
    /// A decoder for a connection on which we announce `table_max` octets as `SETTINGS_HEADER_TABLE_SIZE`; less than the
    /// default of 4096 is taken for it, since nobody tells when the peer begins to heed it.
    pub fn new(table_max: usize) -> Self {
        Self { table: Table::new(), table_max: table_max.max(table::DEFAULT), scratch: Vec::new() }
    }

    /// Reads a whole block and gives `each` its fields in order.
    ///
    /// Returns the size of the list as RFC 9113 counts it (section 6.5.2): the octets of names and values, and 32 for each
    /// field. Once that is more than `list_max`, `each` gets no more, and the table is kept right all the same.
    ///
    /// What outlives the block is copied from it, so that a few octets in a table never hold the memory of a whole block.
    /// Other values share the block's.
    pub fn decode(&mut self, block: &Bytes, list_max: usize, mut each: impl FnMut(Field)) -> Result<usize, CompressionError> {
        let mut input = &block[..];
        self.change_size(&mut input)?;
        let mut list = 0usize;
        while let Some(&first) = input.first() {
            if first & 0b1000_0000 != 0 {
                let (field, size) = self.indexed(integer::decode(&mut input, 7)?)?;
                list = list.saturating_add(size);
                if list <= list_max {
                    each(field.clone());
                }
            } else {
                let (field, size) = self.literal(first, &mut input, block)?;
                list = list.saturating_add(size);
                if list <= list_max {
                    each(field);
                }
            }
        }
        self.scratch.shrink_to(SCRATCH_KEPT);
        Ok(list)
    }

    /// Section 6.3, which may stand at a block's beginning alone.
    fn change_size(&mut self, input: &mut &[u8]) -> Result<(), CompressionError> {
        for _ in 0..CHANGES_MAX {
            if input.first().is_none_or(|first| !is_change(*first)) {
                return Ok(());
            }
            let max = integer::decode(input, 5)?;
            if max > self.table_max {
                return Err(CompressionError::TableTooLarge);
            }
            self.table.resize(max);
        }
        Ok(())
    }

    /// Section 6.1, and section 2.3.3 for where the tables meet.
    #[inline]
    fn indexed(&self, index: usize) -> Result<(&Field, usize), CompressionError> {
        let place = index.checked_sub(1).ok_or(CompressionError::Index)?;
        if let Some(found) = fixed::field(place) {
            return Ok(found);
        }
        let (entry, size) = self.table.get(place - fixed::LENGTH).ok_or(CompressionError::Index)?;
        Ok((&entry.field, size))
    }

    /// Section 6.2: a field with its value, and what it counts in a list.
    fn literal(&mut self, first: u8, input: &mut &[u8], block: &Bytes) -> Result<(Field, usize), CompressionError> {
        let (prefix, is_kept, is_sensitive) = match first {
            _ if first & 0b0100_0000 != 0 => (6, true, false),
            _ if is_change(first) => return Err(CompressionError::TableChange),
            _ => (4, false, first & 0b0001_0000 != 0),
        };
        let (name, name_length) = match integer::decode(input, prefix)? {
            0 => self.name(input)?,
            index => self.indexed_name(index)?,
        };
        let value = self.value(input, block, is_kept)?;
        let size = name_length + value.len() + OVERHEAD;
        if !is_kept {
            return Ok((name.with(value, is_sensitive), size));
        }
        let field = name.clone().with(value, false);
        let name = matches!(field, Field::Malformed(_)).then(|| Box::new(name));
        self.table.insert(Entry { field: field.clone(), name, name_length }, size);
        Ok((field, size))
    }

    /// The name at `index`, and its length.
    fn indexed_name(&self, index: usize) -> Result<(Name, usize), CompressionError> {
        let place = index.checked_sub(1).ok_or(CompressionError::Index)?;
        if let Some(name) = fixed::name(place) {
            return Ok((name, fixed::TEXTS[place].0.len()));
        }
        let (entry, _) = self.table.get(place - fixed::LENGTH).ok_or(CompressionError::Index)?;
        Ok((entry.name(), entry.name_length))
    }

    /// A name that is spelled out, and its length.
    fn name(&mut self, input: &mut &[u8]) -> Result<(Name, usize), CompressionError> {
        let text = Text::read(input)?;
        let octets = if text.is_coded { self.decoded(text.octets)? } else { text.octets };
        Ok((Name::read(octets), octets.len()))
    }

    /// A value; one that is kept shares no memory with its block.
    fn value(&mut self, input: &mut &[u8], block: &Bytes, is_kept: bool) -> Result<Bytes, CompressionError> {
        let text = Text::read(input)?;
        Ok(if text.is_coded {
            Bytes::copy_from_slice(self.decoded(text.octets)?)
        } else if is_kept {
            Bytes::copy_from_slice(text.octets)
        } else {
            block.slice_ref(text.octets)
        })
    }

    fn decoded(&mut self, coded: &[u8]) -> Result<&[u8], CompressionError> {
        self.scratch.clear();
        huffman::decode(coded, &mut self.scratch)?;
        Ok(&self.scratch)
    }
}

impl Entry {
    fn name(&self) -> Name {
        match &self.field {
            Field::Method(_) => Name::Method,
            Field::Scheme(_) => Name::Scheme,
            Field::Authority(_) => Name::Authority,
            Field::Path(_) => Name::Path,
            Field::Protocol(_) => Name::Protocol,
            Field::Status(_) => Name::Status,
            Field::Regular(name, _) => Name::Regular(name.clone()),
            Field::Malformed(flaw) => self.name.as_deref().cloned().unwrap_or(Name::Malformed(*flaw)),
        }
    }
}

/// Whether an octet begins a change of the table's size.
fn is_change(first: u8) -> bool {
    first & 0b1110_0000 == 0b0010_0000
}

/// A string as it is in a block (section 5.2).
struct Text<'a> {
    octets: &'a [u8],
    /// By Huffman.
    is_coded: bool,
}

impl<'a> Text<'a> {
    fn read(input: &mut &'a [u8]) -> Result<Self, CompressionError> {
        let is_coded = input.first().is_some_and(|first| first & 0b1000_0000 != 0);
        let length = integer::decode(input, 7)?;
        let (octets, rest) = input.split_at_checked(length).ok_or(CompressionError::Truncated)?;
        *input = rest;
        Ok(Self { octets, is_coded })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const NO_LIMIT: usize = usize::MAX;

    /// Octets from hexadecimal digits, with spaces wherever they help.
    fn octets(digits: &str) -> Bytes {
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
        digits.chunks(2).map(octet).collect()
    }

    fn line(field: &Field) -> String {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        match field {
            Field::Method(method) => format!(":method: {method}"),
            Field::Scheme(value) => format!(":scheme: {}", text(value)),
            Field::Authority(value) => format!(":authority: {}", text(value)),
            Field::Path(value) => format!(":path: {}", text(value)),
            Field::Protocol(value) => format!(":protocol: {}", text(value)),
            Field::Status(status) => format!(":status: {}", status.as_str()),
            Field::Regular(name, value) => format!("{name}: {}", text(value.as_bytes())),
            Field::Malformed(flaw) => format!("{flaw:?}"),
        }
    }

    /// The fields of a block, a line each.
    fn read(decoder: &mut Decoder, block: &Bytes) -> Result<Vec<String>, CompressionError> {
        let mut lines = Vec::new();
        decoder.decode(block, NO_LIMIT, |field| lines.push(line(&field))).map(|_| lines)
    }

    /// The dynamic table, the newest first, and its size.
    fn table(decoder: &Decoder) -> (Vec<String>, usize) {
        let entries: Vec<_> = (0..).map_while(|newer| decoder.table.get(newer)).collect();
        (entries.iter().map(|(entry, _)| line(&entry.field)).collect(), entries.iter().map(|(_, size)| size).sum())
    }

    fn refused(digits: &str) -> CompressionError {
        read(&mut Decoder::new(4096), &octets(digits)).expect_err(digits)
    }

    /// RFC 7541, appendix C.2.
    #[test]
    fn each_representation_is_read() {
        for (digits, expected, is_kept) in [
            ("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header", true),
            ("040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path", false),
            ("1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret", false),
            ("82", ":method: GET", false),
        ] {
            let mut decoder = Decoder::new(4096);
            assert_eq!(read(&mut decoder, &octets(digits)), Ok(vec![expected.to_owned()]));
            assert_eq!(table(&decoder).0.len(), usize::from(is_kept), "{expected}");
        }
    }

    /// RFC 7541, appendix C.3 and C.4: the same requests without and with Huffman's code.
    #[test]
    fn requests_on_one_connection_are_read() {
        let plain = [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ];
        let coded = [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ];
        for blocks in [plain, coded] {
            let mut decoder = Decoder::new(4096);
            let lists = blocks.map(|digits| read(&mut decoder, &octets(digits)).expect(digits).join(", "));
            assert_eq!(
                lists,
                [
                    ":method: GET, :scheme: http, :path: /, :authority: www.example.com",
                    ":method: GET, :scheme: http, :path: /, :authority: www.example.com, cache-control: no-cache",
                    ":method: GET, :scheme: https, :path: /index.html, :authority: www.example.com, custom-key: custom-value",
                ]
            );
            let entries = ["custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"];
            assert_eq!(table(&decoder), (entries.map(str::to_owned).to_vec(), 164));
        }
    }

    /// RFC 7541, appendix C.5 and C.6: the same responses without and with Huffman's code, and a table of 256 octets.
    #[test]
    fn responses_that_evict_each_other_are_read() {
        let plain = [
            "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e \
             1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "4803 3330 37c1 c0bf",
            "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d \
             4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 \
             7369 6f6e 3d31",
        ];
        let coded = [
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b \
             97c8 e9ae 82ae 43d3",
            "4883 640e ffc1 c0bf",
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf \
             cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        ];
        for blocks in [plain, coded] {
            let mut decoder = Decoder::new(4096);
            decoder.table.resize(256);
            let lists = blocks.map(|digits| read(&mut decoder, &octets(digits)).expect(digits).join(", "));
            let date = |second| format!("date: Mon, 21 Oct 2013 20:13:{second} GMT");
            let cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
            assert_eq!(
                lists,
                [
                    format!(":status: 302, cache-control: private, {}, location: https://www.example.com", date(21)),
                    format!(":status: 307, cache-control: private, {}, location: https://www.example.com", date(21)),
                    format!(
                        ":status: 200, cache-control: private, {}, location: https://www.example.com, content-encoding: gzip, \
                         {cookie}",
                        date(22)
                    ),
                ]
            );
            assert_eq!(table(&decoder), (vec![cookie.to_owned(), "content-encoding: gzip".to_owned(), date(22)], 215));
        }
    }

    #[test]
    fn a_block_that_breaks_off_is_refused() {
        for digits in ["40", "4001", "400161", "40016102", "4001610262", "04", "ff", "ff80", "3f"] {
            assert_eq!(refused(digits), CompressionError::Truncated, "{digits}");
        }
    }

    #[test]
    fn an_index_that_no_table_has_is_refused() {
        for digits in ["80", "be", "ffff 7f", "7f00 0161", "0f7f 0161"] {
            assert_eq!(refused(digits), CompressionError::Index, "{digits}");
        }
    }

    #[test]
    fn a_malformed_huffman_code_is_refused() {
        assert_eq!(refused("4081ff 0161"), CompressionError::Huffman);
        assert_eq!(refused("0484ff ffff ff"), CompressionError::Huffman);
    }

    #[test]
    fn the_table_changes_at_a_blocks_beginning_alone() {
        // To 0, to 4096 and a field; thrice; after a field; to 4097.
        assert_eq!(read(&mut Decoder::new(0), &octets("20 3fe11f 82")), Ok(vec![":method: GET".to_owned()]));
        assert_eq!(refused("20 20 20"), CompressionError::TableChange);
        assert_eq!(refused("82 20"), CompressionError::TableChange);
        assert_eq!(refused("3fe21f"), CompressionError::TableTooLarge);
    }

    #[test]
    fn a_smaller_table_forgets() {
        let mut decoder = Decoder::new(4096);
        read(&mut decoder, &octets("4001 6101 62")).expect("a field");
        read(&mut decoder, &octets("20 be")).expect_err("the entry is gone");
    }

    #[test]
    fn a_malformed_field_keeps_its_place_and_its_name() {
        let mut decoder = Decoder::new(4096);
        // 'a' with a line feed; 'A'; an unknown pseudo-header field.
        let flawed = read(&mut decoder, &octets("4001 6101 0a 4001 4101 62 4002 3a61 0162"));
        assert_eq!(flawed, Ok(["Value", "Name", "Pseudo"].map(str::to_owned).to_vec()));
        assert_eq!(read(&mut decoder, &octets("be bf c0")), Ok(["Pseudo", "Name", "Value"].map(str::to_owned).to_vec()));
        // The name of the first with another value, and of the second.
        assert_eq!(read(&mut decoder, &octets("0f31 0163 0f30 0163")), Ok(["a: c", "Name"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn what_must_never_be_indexed_is_marked() {
        let mut found = Vec::new();
        let block = octets("1001 6101 62 0001 6101 62 4001 6101 62 1f08 0163");
        Decoder::new(4096).decode(&block, NO_LIMIT, |field| found.push(field)).expect("a block");
        let marks = found.iter().map(|field| matches!(field, Field::Regular(_, value) if value.is_sensitive()));
        assert_eq!(marks.collect::<Vec<_>>(), [true, false, false, true]);
    }

    #[test]
    fn a_list_too_large_is_cut_and_its_table_kept() {
        let mut decoder = Decoder::new(4096);
        let mut found = Vec::new();
        // Three fields of 34 octets, of which the second and the third enter the table.
        let block = octets("0001 6101 62 4001 6301 64 4001 6501 66");
        let size = decoder.decode(&block, 2 * 34, |field| found.push(field));
        assert_eq!((size, found.len()), (Ok(3 * 34), 2));
        assert_eq!(read(&mut decoder, &octets("be bf")), Ok(["e: f", "c: d"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn what_is_kept_shares_no_memory_with_its_block() {
        let mut decoder = Decoder::new(4096);
        let block = octets("4001 6101 62 0001 6301 64");
        decoder.decode(&block, NO_LIMIT, drop).expect("a block");
        assert!(block.is_unique());
        let expected = Field::Regular(HeaderName::from_static("a"), HeaderValue::from_static("b"));
        assert_eq!(decoder.table.get(0).map(|(entry, size)| (&entry.field, size)), Some((&expected, 34)));
    }
}
