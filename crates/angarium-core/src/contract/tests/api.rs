//! Mistakes in what a contract says of its management API.

use super::{SOUND, parse};

const API: &str = r#"[api]
auth = { header = "X-Key", key = { prefix = "k_", encoding = "hex", bytes = 16 } }
id = "wh_{base32}"
[api.error]
body = { error = "{error.code}" }
invalid = { status = 400 }
[api.shapes]
hook = { id = "{endpoint.id}", url = "{endpoint.url}" }
[[api.route]]
call = "POST /hooks"
does = "endpoint.create"
request = { url = "{endpoint.url}", events = "{endpoint.types}" }
response = "{hook}"
[[api.route]]
call = ["GET /hooks", "GET /v1/hooks"]
does = "endpoint.list"
response = { all = ["{hook}"] }
[[api.route]]
call = "DELETE /hooks/{id}"
does = "endpoint.delete"
"#;

/// What the sound text is changed from and to, the line of the mistake below `[api]`, a part of the
/// reason, and a part of the cure.
const MISTAKES: &[(&str, &str, usize, &str, &str)] = &[
    ("auth = ", "oauth = ", 2, "unknown key `oauth`", "did you mean `auth`?"),
    ("header = \"X-Key\"", "header = \"host\"", 2, "not a header that", "X-Event-Id"),
    ("header = \"X-Key\", ", "", 2, "`api.auth.header` is missing", "X-API-Key"),
    ("header = \"X-Key\"", "header = \"X-Key\", sees = \"kee\"", 2, "none of", "mean `key`?"),
    ("encoding = \"hex\", ", "", 2, "`api.auth.key.encoding` is missing", "encoding = \"hex\""),
    ("bytes = 16", "bytes = 15", 2, "16 to 64 random bytes", "write 16"),
    ("{base32}", "{base64}", 3, "none of `typeid`", "did you mean `base32`?"),
    ("wh_{base32}", "wh_", 3, "text around one of", "wh_{base32}"),
    ("wh_{base32}", "w/{base32}", 3, "cannot stand in a path", "without a slash"),
    ("id = ", "time = \"iso\"\nid = ", 3, "none of `rfc3339-millis`", "write \"rfc3339"),
    ("{error.code}", "{error.cod}", 5, "unknown placeholder", "did you mean `{error.code}`?"),
    ("{error.code}", "{endpoint.id}", 5, "there are `error.status`", "take one"),
    ("status = 400", "status = 200", 6, "from 400 to 599", "write 400"),
    ("invalid", "wrong", 6, "unknown key `wrong`", "take `wrong` out"),
    ("[api.shapes]", "[api]\nshapes = 5", 7, "", "mend"),
    ("{endpoint.id}\", ", "{endpoint.idd}\", ", 8, "unknown placeholder", "`{endpoint.id}`?"),
    ("\"{endpoint.id}\", ", "\"{hook}\", ", 8, "the shape `hook` holds itself", "its members"),
    ("\"POST /hooks\"", "\"/hooks\"", 10, "is not a method and a path", "POST /v1"),
    ("\"POST /hooks\"", "\"PIST /hooks\"", 10, "none of `GET`", "did you mean `POST`?"),
    ("\"POST /hooks\"", "\"POST hooks\"", 10, "does not begin with a slash", "\"/hooks\""),
    ("\"POST /hooks\"", "\"POST //x\"", 10, "cannot stand in a path", "between slashes"),
    ("\"POST /hooks\"", "\"POST /{id}/{id}\"", 10, "more than one `{id}`", "take one out"),
    ("\"POST /hooks\"", "\"POST /{id}\"", 10, "takes no `{id}`", "/v1/webhooks"),
    ("\"POST /hooks\"", "\"GET /x\"", 10, "changes something, so not by GET", "POST"),
    ("\"POST /hooks\"", "[]", 10, "at least one call is needed", "POST /v1"),
    ("call = \"POST /hooks\"", "", 9, "`api.route[0].call` is missing", "add `call = "),
    ("endpoint.create", "endpoint.creat", 11, "none of", "did you mean `endpoint.create`?"),
    ("does = \"endpoint.create\"", "", 9, "`api.route[0].does` is missing", "add `does = "),
    ("url = \"{endpoint.url}\", ", "", 12, "no member sets `{endpoint.url}`", "add `url = "),
    (
        "url = \"{endpoint.url}\", e",
        "u = { u = \"{endpoint.url}\", v = \"{endpoint.url}\" }, e",
        12,
        "two members set",
        "take one",
    ),
    ("\"{endpoint.types}\"", "\"{endpoint.tipes}\"", 12, "unknown placeholder", "types}`?"),
    ("\"{endpoint.types}\"", "\"a {endpoint.types}\"", 12, "is not one placeholder", "like"),
    ("\"{endpoint.types}\"", "5", 12, "is a text, not integer", "write it like"),
    (
        "request = { url = \"{endpoint.url}\", events = \"{endpoint.types}\" }",
        "",
        11,
        "no member sets `{endpoint.url}`",
        "to `request`",
    ),
    ("response = \"{hook}\"", "response = \"{hok}\"", 13, "`secret`, `hook`", "mean `{hook}`?"),
    ("response = \"{hook}\"", "response = \"{hook}\"\nstatus = 204", 14, "204 goes without", "out"),
    ("response = \"{hook}\"", "response = \"{hook}\"\nstatus = 302", 14, "200 to 299", "write 299"),
    ("\"GET /v1/hooks\"", "\"PUT /v1/hooks\"", 15, "only reads", "write GET"),
    (
        "{ all = [\"{hook}\"] }",
        "{ id = \"{endpoint.id}\", all = [\"{hook}\"] }",
        17,
        "stands inside a list",
        "write it like [{",
    ),
    ("DELETE /hooks/{id}", "DELETE /hooks", 19, "needs `{id}` in the path", "{id}"),
    ("DELETE /hooks/{id}", "DELETE /hooks/{name}", 19, "cannot stand in a path", "or `{id}`"),
    (
        "\"GET /hooks\", \"GET",
        "\"GET /hooks\", \"GET /x\"]\ndoes = \"endpoint.list\"\nresponse = 1\n[[api.route]]\ncall = [\"GET /hooks\", \"GET",
        18,
        "`GET /hooks` is called by another route already",
        "one of the two",
    ),
    ("\"endpoint.delete\"", "\"endpoint.delete\"\nsumary = \"x\"", 21, "unknown key", "`summary`?"),
];

#[test]
fn a_mistake_in_an_api_is_refused_alone_with_its_line_what_is_allowed_and_its_cure() {
    let above = SOUND.lines().count();
    for (from, to, line, reason, cure) in MISTAKES.iter().copied() {
        let text = format!("{SOUND}{}", API.replacen(from, to, 1));
        let mistakes = parse(&text).expect_err(to);
        let all: Vec<_> = mistakes.iter().collect();
        let [mistake] = all[..] else { panic!("{to}: {mistakes}") };
        assert_eq!(mistake.line, above + line, "{to}: {mistake}");
        assert!(mistake.reason.contains(reason), "{to}: {mistake}");
        assert!(mistake.cure.as_deref().expect(to).contains(cure), "{to}: {mistake}");
    }
    assert!(parse(&format!("{SOUND}{API}")).is_ok());
}

#[test]
fn every_mistake_in_an_api_is_told_in_one_run_and_one_in_a_shape_only_once() {
    let wrong = API
        .replace("X-Key", "host")
        .replace("{base32}", "{base}")
        .replace("{error.code}", "{error.cod}")
        .replace("\"{endpoint.id}\", url = \"{endpoint.url}\" }", "\"{a}\", url = \"{b}\" }")
        .replace("POST /hooks", "GET /hooks")
        .replace("events = \"{endpoint.types}\"", "events = \"{c}\", x = 5")
        .replace("\"endpoint.delete\"", "\"endpoint.remove\"");
    let mistakes = parse(&format!("{SOUND}{wrong}")).expect_err("it is wrong");
    let above = SOUND.lines().count();
    let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line - above).collect();
    assert_eq!(lines, [2, 3, 5, 8, 8, 10, 12, 12, 20], "{mistakes}");
}
