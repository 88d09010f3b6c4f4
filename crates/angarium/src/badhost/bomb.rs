//! Small bodies that unpack to large ones.

/// How many zeros each of them holds: 64 MiB.
#[cfg(test)]
const UNPACKED: usize = 64 * 1024 * 1024;

/// The zeros in brotli, quality 11.
const BROTLI: &str = "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200dd\
                      fb3ffeffffc13f0110870500baf77ffcffff837f02200e0b0074effff8ffff07ff04401c1600\
                      e8defff1ffff0ffe0980382c00d0bdffe3ffff1ffc1300715800a07bff37";

pub(super) fn brotli() -> Vec<u8> {
    hex::decode(BROTLI).expect("the text is hexadecimal")
}

/// One frame of zstd (RFC 8878) without checksum: blocks that each say a byte and how often.
pub(super) fn zstd() -> Vec<u8> {
    const BLOCKS: u32 = 512;
    const BLOCK_BYTES: u32 = 128 * 1024;
    const REPEATED: u32 = 1;
    // Magic number; no size, no dictionary; a window of 8 MiB.
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    for block in 1..=BLOCKS {
        let header = (BLOCK_BYTES << 3) | (REPEATED << 1) | u32::from(block == BLOCKS);
        bytes.extend(&header.to_le_bytes()[..3]);
        bytes.push(0);
    }
    bytes
}

/// One member of gzip (RFC 1952) with one block of fixed codes (RFC 1951, 3.2.6): a zero, then
/// copies of 258 bytes from one byte before. The checksum at its end is wrong: whoever comes so far
/// has unpacked it all.
pub(super) fn gzip() -> Vec<u8> {
    const COPIES: usize = 260_111;
    let mut bits = Bits { bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], filled: 0 };
    // The last block, of fixed codes; then the code of the byte 0, 00110000.
    bits.push(&[1, 1, 0]);
    bits.push(&[0, 0, 1, 1, 0, 0, 0, 0]);
    for _ in 0..COPIES {
        // Length 258 is 11000101, distance 1 is 00000.
        bits.push(&[1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    }
    bits.push(&[0; 7]);
    bits.bytes.extend([0; 8]);
    bits.bytes
}

/// Bits, filled into bytes from the lowest.
struct Bits {
    bytes: Vec<u8>,
    filled: u32,
}

impl Bits {
    fn push(&mut self, bits: &[u8]) {
        for bit in bits {
            if self.filled.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (self.filled % 8);
            }
            self.filled += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bombs_are_small_beside_what_they_unpack_to() {
        for (bomb, at_most) in [(brotli(), 128), (zstd(), 4 * 1024), (gzip(), 512 * 1024)] {
            assert!(bomb.len() <= at_most && at_most * 100 < UNPACKED, "{}", bomb.len());
        }
    }
}
