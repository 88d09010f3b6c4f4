//! Asks the library what stands on standard input; prints its answers in the same order.

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use standardwebhooks::Webhook;
use std::collections::HashMap;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Question {
    Verify { secret: String, headers: HashMap<String, String>, body: String },
    Sign { secret: String, id: String, timestamp: i64, body: String },
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Verified,
    Refused(String),
    Signed(String),
}

fn answer(question: Question) -> Answer {
    let webhook = |secret: &str| Webhook::new(secret).expect("a secret of the library's form");
    match question {
        Question::Verify { secret, headers, body } => {
            let headers = HeaderMap::try_from(&headers).expect("headers");
            match webhook(&secret).verify(body.as_bytes(), &headers) {
                Ok(()) => Answer::Verified,
                Err(refusal) => Answer::Refused(refusal.to_string()),
            }
        }
        Question::Sign { secret, id, timestamp, body } => {
            let signed = webhook(&secret).sign(&id, timestamp, body.as_bytes());
            Answer::Signed(signed.expect("a signature"))
        }
    }
}

fn main() {
    let questions: Vec<Question> = serde_json::from_reader(std::io::stdin()).expect("questions");
    let answers: Vec<Answer> = questions.into_iter().map(answer).collect();
    println!("{}", serde_json::to_string(&answers).expect("answers"));
}
