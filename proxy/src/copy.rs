//! Copying much, in steps.
//!
//! glibc hands a copy of more than a few KiB to the processor's `rep movsb`. Where the target lies up to 63 bytes further into
//! its page than the source does, AMD's processors of today take thirty times as long for it (glibc's bug 30994): measured,
//! 0.37 s for a GiB against 0.012 s. A frame's head of nine bytes before data that began on a page makes exactly that. Short
//! copies are made another way, and lose nothing.

/// Bytes copied at once: below what glibc takes for much on any processor.
const STEP: usize = 2000;

/// Appends `data` to `out`.
pub fn append(out: &mut Vec<u8>, data: &[u8]) {
    out.reserve(data.len());
    data.chunks(STEP).for_each(|step| out.extend_from_slice(step));
}
