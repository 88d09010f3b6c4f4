//! Frames that break the rules of HTTP/2, and frames that keep them without end.

use super::tls_port;
use crate::badhost::case::{
    BROKEN, BROKEN_OR_LATE, Case, DELIVERED, DELIVERED_CUT, DELIVERED_OR_BROKEN, Expected,
    Identity, LATE, Stage,
};
use crate::badhost::frame::{
    ACK, CONNECTION, END_HEADERS, END_STREAM, INITIAL_WINDOW, Kind, MOST_STREAMS, NO_FLAGS,
    REQUEST, STATUS_200, frame, go_away, head, hpack_bomb, literal, reset, settings,
};
use crate::badhost::script::{Portion, Step, flood, say};

pub(super) fn cases() -> Vec<Case> {
    [ends(), resets(), silences(), broken_frames(), broken_heads(), floods(), bodies()].concat()
}

fn case(name: &str, does: &str, expected: Expected, script: Vec<Step>) -> Case {
    tls_port(Stage::Http2, Identity::SoundHttp2, name, does, expected, script)
}

/// Takes a whole request as a sound server does, with room for the largest, then goes on.
fn taken(then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    const WINDOW: u32 = 1 << 30;
    let taken = [
        say(settings(&[(INITIAL_WINDOW, WINDOW)])),
        say(frame(Kind::WindowUpdate, NO_FLAGS, CONNECTION, &WINDOW.to_be_bytes())),
        Step::Read(Portion::Http2),
        say(frame(Kind::Settings, ACK, CONNECTION, &[])),
    ];
    taken.into_iter().chain(then).collect()
}

fn ends() -> Vec<Case> {
    vec![
        case("h2-ok", "200, by the rules", DELIVERED, taken([say(head(END_STREAM))])),
        case(
            "h2-goaway-first",
            "GOAWAY before any stream",
            BROKEN,
            vec![say(settings(&[])), say(go_away(0, 0)), Step::Read(Portion::Byte)],
        ),
        case(
            "h2-goaway-then-answer",
            "GOAWAY, then answers 200 all the same",
            DELIVERED,
            taken([say(go_away(REQUEST, 0)), say(head(END_STREAM))]),
        ),
        case(
            "h2-goaway-instead",
            "GOAWAY, enhance your calm",
            BROKEN,
            taken([say(go_away(REQUEST, 11))]),
        ),
        case("h2-closed", "FIN instead of an answer", BROKEN, taken([])),
        case(
            "h2-half-greeting",
            "half a SETTINGS frame, and FIN",
            BROKEN,
            vec![Step::Read(Portion::Byte), say([0, 0, 6, 4])],
        ),
    ]
}

/// RST_STREAM with each code (RFC 9113, 7).
fn resets() -> Vec<Case> {
    let case = |code| {
        let name = format!("h2-reset-{code}");
        case(
            &name,
            &format!("RST_STREAM with code {code}"),
            BROKEN,
            taken([say(reset(code)), Step::Hold]),
        )
    };
    (0..=13).map(case).collect()
}

fn silences() -> Vec<Case> {
    let narrow = |name, does, values: &[(u16, u32)]| {
        case(name, does, LATE, vec![say(settings(values)), Step::Hold])
    };
    vec![
        narrow("h2-no-streams", "allows no stream", &[(MOST_STREAMS, 0)]),
        narrow("h2-no-window", "opens no window for the body", &[(INITIAL_WINDOW, 0)]),
        case("h2-no-greeting", "reads, and never greets", LATE, vec![Step::Hold]),
        case("h2-no-answer", "takes the request and says nothing", LATE, taken([Step::Hold])),
        case(
            "h2-half-answer",
            "HEADERS without END_HEADERS, and nothing more",
            LATE,
            taken([say(frame(Kind::Headers, NO_FLAGS, REQUEST, STATUS_200)), Step::Hold]),
        ),
    ]
}

fn broken_frames() -> Vec<Case> {
    let rows: Vec<(&str, &str, Vec<u8>)> = vec![
        (
            "h2-http-1",
            "agrees on h2 and answers in HTTP/1.1",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec(),
        ),
        ("h2-garbage", "bytes that are no frames", vec![0xff; 64]),
        (
            "h2-other-stream",
            "answers on a stream nobody opened",
            frame(Kind::Headers, END_HEADERS | END_STREAM, 5, STATUS_200),
        ),
        (
            "h2-even-stream",
            "answers on a stream of its own",
            frame(Kind::Headers, END_HEADERS | END_STREAM, 2, STATUS_200),
        ),
        ("h2-data-first", "DATA before HEADERS", frame(Kind::Data, NO_FLAGS, REQUEST, b"ok")),
        (
            "h2-window-overflow",
            "a window beyond 2^31-1",
            frame(Kind::WindowUpdate, NO_FLAGS, CONNECTION, &0x7fff_ffff_u32.to_be_bytes()),
        ),
        (
            "h2-push",
            "pushes, though that is switched off",
            [frame(
                Kind::PushPromise,
                END_HEADERS,
                REQUEST,
                &[&[0, 0, 0, 2][..], STATUS_200].concat(),
            )]
            .concat(),
        ),
    ];
    rows.into_iter().map(broken).collect()
}

/// Heads that no HTTP has, in frames that are right.
fn broken_heads() -> Vec<Case> {
    let rows: Vec<(&str, &str, Vec<u8>)> = vec![
        (
            "h2-bad-hpack",
            "a header block that refers to nothing",
            frame(
                Kind::Headers,
                END_HEADERS | END_STREAM,
                REQUEST,
                &[0xff, 0xff, 0xff, 0xff, 0x0f],
            ),
        ),
        (
            "h2-no-status",
            "an answer without :status",
            frame(Kind::Headers, END_HEADERS | END_STREAM, REQUEST, &literal("x", "y")),
        ),
        (
            "h2-upper-case",
            "a header name in capitals",
            frame(
                Kind::Headers,
                END_HEADERS | END_STREAM,
                REQUEST,
                &[STATUS_200, &literal("X", "y")].concat(),
            ),
        ),
        (
            "h2-large-frame",
            "a frame larger than was allowed",
            frame(Kind::Data, NO_FLAGS, REQUEST, &[0; 1024 * 1024]),
        ),
        (
            "h2-hpack-bomb",
            "four kilobytes of headers that unpack to four megabytes",
            frame(Kind::Headers, END_HEADERS | END_STREAM, REQUEST, &hpack_bomb()),
        ),
    ];
    rows.into_iter().map(broken).collect()
}

/// Says something wrong, and waits for what the sender makes of it.
fn broken((name, does, bytes): (&str, &str, Vec<u8>)) -> Case {
    case(name, does, BROKEN, taken([say(bytes), Step::Hold]))
}

/// Name, what it does, what is expected, how it begins, and what it repeats.
type Flood = (&'static str, &'static str, Expected, Vec<u8>, Vec<u8>);

/// Each frame is right; there is only no end to them.
fn floods() -> Vec<Case> {
    let hint = literal(":status", "103");
    let rows: Vec<Flood> = vec![
        (
            "h2-continuation-flood",
            "CONTINUATION without end",
            BROKEN,
            frame(Kind::Headers, NO_FLAGS, REQUEST, STATUS_200),
            frame(Kind::Continuation, NO_FLAGS, REQUEST, &literal("x", "y")),
        ),
        (
            "h2-empty-continuation-flood",
            "empty CONTINUATION without end",
            BROKEN,
            frame(Kind::Headers, NO_FLAGS, REQUEST, STATUS_200),
            frame(Kind::Continuation, NO_FLAGS, REQUEST, &[]),
        ),
        ("h2-reset-flood", "RST_STREAM without end", BROKEN, vec![], reset(8)),
        (
            "h2-ping-flood",
            "PING without end",
            BROKEN_OR_LATE,
            vec![],
            frame(Kind::Ping, NO_FLAGS, CONNECTION, &[0; 8]),
        ),
        ("h2-settings-flood", "SETTINGS without end", BROKEN_OR_LATE, vec![], settings(&[])),
        (
            "h2-window-flood",
            "WINDOW_UPDATE of one byte without end",
            BROKEN_OR_LATE,
            vec![],
            frame(Kind::WindowUpdate, NO_FLAGS, CONNECTION, &1_u32.to_be_bytes()),
        ),
        (
            "h2-unknown-flood",
            "frames of an unknown kind without end",
            BROKEN_OR_LATE,
            vec![],
            frame(Kind::Unknown, NO_FLAGS, CONNECTION, &[0; 16]),
        ),
        (
            "h2-informational-flood",
            "103 without end",
            BROKEN,
            vec![],
            frame(Kind::Headers, END_HEADERS, REQUEST, &hint),
        ),
        (
            "h2-empty-data-flood",
            "200, then empty DATA without end",
            DELIVERED_CUT,
            head(NO_FLAGS),
            frame(Kind::Data, NO_FLAGS, REQUEST, &[]),
        ),
        (
            "h2-trailer-flood",
            "200, then trailers without end",
            DELIVERED_OR_BROKEN,
            [head(NO_FLAGS), frame(Kind::Headers, END_STREAM, REQUEST, &[])].concat(),
            frame(Kind::Continuation, NO_FLAGS, REQUEST, &literal("x", "y")),
        ),
    ];
    let flooded = |(name, does, expected, begin, unit): Flood| {
        case(name, does, expected, taken([say(begin), flood(unit)]))
    };
    rows.into_iter().map(flooded).collect()
}

fn bodies() -> Vec<Case> {
    let data = frame(Kind::Data, NO_FLAGS, REQUEST, &[b'x'; 1024]);
    vec![
        case(
            "h2-endless-body",
            "200, then DATA beyond every window",
            DELIVERED,
            taken([say(head(NO_FLAGS)), flood(data)]),
        ),
        case(
            "h2-no-body",
            "200, and neither body nor end",
            DELIVERED_CUT,
            taken([say(head(NO_FLAGS)), Step::Hold]),
        ),
        case(
            "h2-reset-in-body",
            "200, half a body, RST_STREAM",
            DELIVERED,
            taken([
                say([head(NO_FLAGS), frame(Kind::Data, NO_FLAGS, REQUEST, b"half")].concat()),
                say(reset(2)),
                Step::Hold,
            ]),
        ),
    ]
}
