//! Frames of HTTP/2 (RFC 9113, 4.1) as bytes, right and wrong ones. The first request of a client
//! is on stream 1: that is the one which is answered.

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Data = 0,
    Headers = 1,
    Reset = 3,
    Settings = 4,
    PushPromise = 5,
    Ping = 6,
    GoAway = 7,
    WindowUpdate = 8,
    Continuation = 9,
    /// A kind that no standard has.
    Unknown = 0xee,
}

/// The stream of the first request.
pub(super) const REQUEST: u32 = 1;
/// No stream: the connection.
pub(super) const CONNECTION: u32 = 0;

/// Settings: most streams at once, and the first window of each.
pub(super) const MOST_STREAMS: u16 = 3;
pub(super) const INITIAL_WINDOW: u16 = 4;

pub(super) const NO_FLAGS: u8 = 0;
pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// `:status: 200`, from the static table of HPACK.
pub(super) const STATUS_200: &[u8] = &[0x88];

/// A frame; only the low 24 bits of the payload's length are said.
pub(super) fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind as u8, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Settings by their numbers (RFC 9113, 6.5.2).
pub(super) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let pair = |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    let payload: Vec<u8> = values.iter().flat_map(pair).collect();
    frame(Kind::Settings, NO_FLAGS, CONNECTION, &payload)
}

/// The connection ends; streams up to `last` may have been seen.
pub(super) fn go_away(last: u32, code: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
    frame(Kind::GoAway, NO_FLAGS, CONNECTION, &payload)
}

/// The request's stream ends with a code (RFC 9113, 7).
pub(super) fn reset(code: u32) -> Vec<u8> {
    frame(Kind::Reset, NO_FLAGS, REQUEST, &code.to_be_bytes())
}

/// The head of the answer, whole.
pub(super) fn head(flags: u8) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | flags, REQUEST, STATUS_200)
}

/// A header field as a literal that enters no table; both texts below 127 bytes.
pub(super) fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).unwrap_or(126));
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// A field of 2,000 bytes that enters the table, then references to it, two thousand times: two
/// kilobytes that unpack to four megabytes.
pub(super) fn hpack_bomb() -> Vec<u8> {
    const REFERENCES: usize = 2_000;
    // Literal with indexing, new name `x`, value of 2,000 = 127 + 1,873 bytes (RFC 7541, 5.1).
    let mut block = [STATUS_200, &[0x40, 1, b'x', 127, 0xd1, 0x0e]].concat();
    block.extend([b'y'; 2_000]);
    // The newest entry of the table has the number 62.
    block.extend([0x80 | 62; REFERENCES]);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_laid_out_as_the_standard_says() {
        let rows = [
            (settings(&[]), vec![0, 0, 0, 4, 0, 0, 0, 0, 0]),
            (settings(&[(3, 0)]), vec![0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]),
            (reset(7), vec![0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7]),
            (head(END_STREAM), vec![0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88]),
            (go_away(1, 0), vec![0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        ];
        for (bytes, expected) in rows {
            assert_eq!(bytes, expected);
        }
    }
}
