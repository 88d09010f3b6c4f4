//! Bodies of which parts are signed: items, each for itself, and lines.

use super::*;
use serde_json::{Value, json};

fn built_in(name: &str) -> (Arc<Scheme>, Vec<Vector>) {
    all().into_iter().find(|(scheme, _)| scheme.name() == name).expect("a built-in scheme")
}

/// The vector with its body changed.
fn changed(vector: &Vector, change: impl FnOnce(&mut Value)) -> Vector {
    let mut body = serde_json::from_str(&vector.body).expect("JSON");
    change(&mut body);
    Vector { body: body.to_string(), ..vector.clone() }
}

#[test]
fn one_item_that_is_not_genuine_spoils_the_others() {
    let (scheme, vectors) = built_in("adyen");
    let (one, two) = (&vectors[0], &vectors[1]);
    let forged = |item: usize| {
        changed(two, |body| {
            let item = &mut body["notificationItems"][item]["NotificationRequestItem"];
            item["amount"]["value"] = json!(1);
        })
    };
    let unsigned = changed(two, |body| {
        let item = &mut body["notificationItems"][1]["NotificationRequestItem"];
        drop(item["additionalData"].take());
    });
    let moved = changed(one, |body| {
        body["notificationItems"] = json!({ "0": body["notificationItems"][0] });
    });
    let empty = changed(one, |body| body["notificationItems"] = json!([]));
    for wrong in [forged(0), forged(1), unsigned, moved, empty] {
        assert!(wrong.verify(&scheme).is_err(), "{}", wrong.body);
    }
    let fewer = changed(two, |body| {
        body["notificationItems"].as_array_mut().expect("a list").pop();
    });
    assert!(fewer.verify(&scheme).is_ok(), "each item is signed for itself");
}

#[test]
fn items_are_known_by_what_is_signed_of_them() {
    let (scheme, vectors) = built_in("adyen");
    let known_by = |vector: &Vector| vector.verify(&scheme).expect("genuine").known_by;
    let replayed = changed(&vectors[0], |body| body["live"] = json!("true"));
    assert_eq!(known_by(&vectors[0]), known_by(&replayed));
    assert_ne!(known_by(&vectors[0]), known_by(&vectors[1]));
}

#[test]
fn a_member_that_stands_twice_is_not_verified() {
    let (scheme, vectors) = built_in("aws-sns");
    let body = &vectors[0].body;
    for twice in [
        body.replacen('{', r#"{"Message":"forged","#, 1),
        body.replacen('{', r#"{"Mess\u0061ge":"forged","#, 1),
    ] {
        let vector = Vector { body: twice, ..vectors[0].clone() };
        assert!(vector.verify(&scheme).is_err(), "{}", vector.body);
    }
}

#[test]
fn lines_cannot_be_moved_into_one_another() {
    let (scheme, vectors) = built_in("aws-sns");
    let (with_subject, without) = (&vectors[0], &vectors[1]);
    let text = |body: &Value, name: &str| body[name].as_str().expect("a text").to_owned();
    let wrongs = [
        // The same lines, told apart elsewhere.
        changed(with_subject, |body| {
            let both = format!("{}\nSubject\n{}", text(body, "MessageId"), text(body, "Subject"));
            body["MessageId"] = both.into();
            body.as_object_mut().expect("an object").remove("Subject");
        }),
        changed(with_subject, |body| {
            let both = format!("{}\nMessageId\n{}", text(body, "Message"), text(body, "MessageId"));
            body["Message"] = both.into();
            body.as_object_mut().expect("an object").remove("MessageId");
        }),
        // Members that were not there, or are no text.
        changed(without, |body| body["Subject"] = json!("forged")),
        changed(without, |body| body["Subject"] = json!(["forged"])),
        changed(without, |body| body["Subject"] = json!("")),
        changed(with_subject, |body| drop(body["Subject"].take())),
        // Another topic, another version, another type.
        changed(with_subject, |body| body["TopicArn"] = json!("arn:aws:sns:us-east-1:1:Other")),
        changed(with_subject, |body| body["SignatureVersion"] = json!("1")),
        changed(with_subject, |body| body["Type"] = json!("SubscriptionConfirmation")),
    ];
    for wrong in wrongs {
        assert!(wrong.verify(&scheme).is_err(), "{}", wrong.body);
    }
}

#[test]
fn a_request_whose_id_is_signed_is_known_by_it() {
    for (name, change) in [("aws-sns", "UnsubscribeURL"), ("paypal", "")] {
        let (scheme, vectors) = built_in(name);
        let known_by = |vector: &Vector| vector.verify(&scheme).expect("genuine").known_by;
        let again = changed(&vectors[0], |body| {
            if !change.is_empty() {
                body[change] = json!("https://e.example/");
            }
        });
        assert_eq!(known_by(&vectors[0]), known_by(&again), "{name}");
    }
}
