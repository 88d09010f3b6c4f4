//! Calls the printed functions, a case a line; prints what each one answered.

// MODULES

use base64::{engine::general_purpose::STANDARD, Engine};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

struct Given<'a> {
    headers: HashMap<&'a str, Vec<u8>>,
    method: &'a str,
    body: Vec<u8>,
    query: Vec<u8>,
    payload: Vec<u8>,
    secrets: Vec<String>,
    now: SystemTime,
}

#[allow(unused_variables)]
fn verify(module: &str, it: &Given) -> bool {
    let secrets: Vec<&str> = it.secrets.iter().map(String::as_str).collect();
    // As a header map answers: nothing for what is not text.
    let header = |name: &str| std::str::from_utf8(it.headers.get(name)?).ok();
    match module {
        // CALLS
        other => panic!("no such module: {other}"),
    }
}

fn decode(field: &str) -> Vec<u8> {
    STANDARD.decode(field).expect("base64")
}

fn main() {
    let path = std::env::args().nth(1).expect("the file with the cases");
    for line in std::fs::read_to_string(path).expect("the cases").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let pairs = fields[2].split(',').filter_map(|pair| pair.split_once('='));
        let secrets = fields[7].split(',').filter(|secret| !secret.is_empty());
        let it = Given {
            headers: pairs.map(|(name, value)| (name, decode(value))).collect(),
            method: fields[3],
            body: decode(fields[4]),
            query: decode(fields[5]),
            payload: decode(fields[6]),
            secrets: secrets.map(|s| String::from_utf8(decode(s)).expect("text")).collect(),
            now: UNIX_EPOCH + Duration::from_secs(fields[8].parse().expect("seconds")),
        };
        match std::panic::catch_unwind(|| verify(fields[0], &it)) {
            Ok(answer) => println!("{answer}"),
            Err(_) => println!("threw"),
        }
    }
}
